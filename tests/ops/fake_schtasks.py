"""A stand-in for Windows' schtasks.exe: keeps tasks in the folder FAKE_SCHTASKS, and runs and ends them.

It takes what the real one documents, and no more:
https://learn.microsoft.com/windows-server/administration/windows-commands/schtasks
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
CODE_PAGE = "cp437"
"""What a console in the USA has; real ones print the definition in it, whatever it says of its encoding."""
FOLDER = "FAKE_SCHTASKS"


def install(folder: Path) -> dict[str, str]:
    """Make the program in `folder`. The environment that finds it before Windows' own."""
    folder.mkdir()
    if sys.platform == "win32":
        (folder / "schtasks.bat").write_text(f'@"{sys.executable}" "{__file__}" %*\n', "utf-8")
    else:
        (folder / "schtasks").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n', "utf-8")
        (folder / "schtasks").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", FOLDER: str(folder)}


def tasks(folder: Path) -> dict[str, ElementTree.Element]:
    """The tasks that it keeps, by their names."""
    return {file.stem: definition(file) for file in folder.glob("*.xml")}


def definition(file: Path) -> ElementTree.Element:
    raw = file.read_bytes()
    assert raw.startswith(b"\xff\xfe"), "schtasks.exe reads UTF-16"
    return ElementTree.fromstring(raw)


def words(parent: ElementTree.Element, path: str) -> str:
    return parent.findtext("/".join(NAMESPACE + name for name in path.split("/"))) or ""


def fail(text: str) -> int:
    print(f"ERROR: {text}", file=sys.stderr)
    return 1


def main(arguments: list[str]) -> int:
    folder = Path(os.environ[FOLDER])
    verb, name_option, name, *rest = arguments
    assert name_option == "/TN"
    file = folder / f"{name}.xml"
    if verb == "/Create" and rest[0] == "/XML" and rest[2:] == ["/F"]:
        if "Refused" in os.environ.get("FAKE_SCHTASKS_SAYS", ""):
            return fail("Access is denied.")
        definition(Path(rest[1]))
        file.write_bytes(Path(rest[1]).read_bytes())
        return 0
    if not file.exists():
        return fail("The system cannot find the file specified.")
    if verb == "/Query" and rest == ["/XML"]:
        sys.stdout.buffer.write(file.read_bytes().decode("utf-16").encode(CODE_PAGE, "replace"))
        return 0
    if verb == "/Delete" and rest == ["/F"]:
        file.unlink()
        return 0
    process_id = folder / "running"
    if verb == "/Run" and not rest:
        process_id.write_text(str(start(definition(file))), "utf-8")
        return 0
    if verb == "/End" and not rest:
        if not process_id.exists():
            return fail("There is no running instance of the task.")
        end(int(process_id.read_text("utf-8")))
        process_id.unlink()
        return 0
    return fail("Invalid syntax.")


def start(task: ElementTree.Element) -> int:
    line = f'"{words(task, "Actions/Exec/Command")}" {words(task, "Actions/Exec/Arguments")}'
    silent = subprocess.DEVNULL
    folder = words(task, "Actions/Exec/WorkingDirectory")
    return subprocess.Popen(line, cwd=folder, stdin=silent, stdout=silent, stderr=silent).pid


def end(process_id: int) -> None:
    """Without asking: the program itself, which behind a .venv's launcher is its child."""
    import psutil

    launcher = psutil.Process(process_id)
    programs = [child for child in launcher.children() if child.name().lower() == launcher.name().lower()]
    for process in [*programs, launcher]:
        process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
