"""A browser that only notes the addresses that it is to show."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

SCRIPT = "import sys\nwith open(sys.argv[1], 'a') as notes:\n    print(sys.argv[2], file=notes)\n"


class FakeBrowser:
    def __init__(self, folder: Path) -> None:
        script = folder / "browser.py"
        script.write_text(SCRIPT, "utf-8")
        self._notes = folder / "browser-notes"
        command = [Path(sys.executable), script, self._notes]
        self.variable = " ".join(shlex.quote(path.as_posix()) for path in command) + " %s"
        """For BROWSER in the environment."""

    @property
    def shown(self) -> list[str]:
        return self._notes.read_text("utf-8").splitlines() if self._notes.exists() else []
