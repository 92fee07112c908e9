"""The manage.py of a small program: it keeps its environment and its database in files beside it, and does as its
version's `behavior.json` says. Called as a program only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV, DATABASE, CALLS = ROOT / ".venv", ROOT / "instance" / "database", ROOT / "instance" / "calls"


def main(command: str) -> int:
    behavior = json.loads((ROOT / "printsys" / "behavior.json").read_text("utf-8"))
    with CALLS.open("a", encoding="utf-8") as calls:
        calls.write(f"{behavior['version']}: {command}\n")
    if not VENV.exists():
        VENV.mkdir()
        (VENV / "pins").write_bytes((ROOT / "requirements.txt").read_bytes())
    if command == "db upgrade":
        DATABASE.write_text(behavior["version"], "utf-8")
    if command == os.environ.get("KILL_AT") and behavior["version"] == os.environ["KILL_IN"]:
        os.kill(os.getppid(), signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        return 0
    if command == os.environ.get("SIGNAL_AT"):
        os.kill(os.getppid(), int(os.environ["SIGNAL"]))
    if command in behavior.get("garbles", ()):
        print("<html>")
        return 0
    if command == "service start" and is_refused():
        print("An upgrade keeps the system from its start.", file=sys.stderr)
        return 2
    if command in behavior.get("fails_at", ()):
        print("This does not work.", file=sys.stderr)
        return 2
    if command == "check --json":
        print(json.dumps({"findings": behavior.get("findings", []), "problem": None}))
    if command == "service status --json":
        print(json.dumps({"address": os.environ.get("FAKE_ADDRESS")}))
    return 0


def is_refused() -> bool:
    """What a service manager calls has nothing of the upgrade's environment, so it asks as manage.py does."""
    question = [sys.executable, "-m", "printsys.upgrade", str(ROOT), "recover"]
    return subprocess.run(question, cwd=os.environ["ENGINE"], check=False).returncode != 3


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
