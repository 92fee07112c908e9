"""macOS: a tiny app bundle in ~/Applications.

macOS hands a link to an app as an Apple event and never as an argument, so the bundle is an AppleScript applet (made
by the system's own osacompile) that passes the link on.
https://developer.apple.com/library/archive/documentation/LanguagesUtilities/Conceptual/MacAutomationScriptingGuide/
"""

from __future__ import annotations

import plistlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from opener.refusals import Reason, Refused
from opener.url import SCHEMES

BUNDLE = "Print Lab Opener.app"
IDENTIFIER = "lab.printsys.opener"
_OUR_KEY = "PrintsysOpenerCommand"
_LSREGISTER = "/System/Library/Frameworks/CoreServices.framework/Frameworks/LaunchServices.framework/Support/lsregister"

Run = Callable[[Sequence[str]], None]


def run_tool(command: Sequence[str]) -> None:
    """Raises Refused with the tool's own message."""
    try:
        result = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(Reason.REGISTRATION, f"{command[0]} does not run ({error})") from error
    if result.returncode != 0:
        raise Refused(Reason.REGISTRATION, result.stderr.strip() or f"{command[0]} ended with {result.returncode}")


class MacRegistration:
    def __init__(self, home: Path, run: Run = run_tool) -> None:
        self.bundle = home / "Applications" / BUNDLE
        self.run = run

    @property
    def _plist(self) -> Path:
        return self.bundle / "Contents" / "Info.plist"

    def install(self, command: Sequence[str]) -> None:
        self.uninstall()
        try:
            self.bundle.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(Reason.REGISTRATION, f"{self.bundle.parent} cannot be made ({error.strerror})") from error
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "opener.applescript"
            script.write_text(applescript(command), "utf-8")
            self.run(["/usr/bin/osacompile", "-o", str(self.bundle), str(script)])
        self._describe(command)
        # The description is signed too: after a change the old signature would keep the app from starting.
        self.run(["/usr/bin/codesign", "--force", "--sign", "-", str(self.bundle)])
        self.run([_LSREGISTER, "-f", str(self.bundle)])

    def _describe(self, command: Sequence[str]) -> None:
        try:
            description = plistlib.loads(self._plist.read_bytes())
            description |= {
                "CFBundleIdentifier": IDENTIFIER,
                "CFBundleURLTypes": [{"CFBundleURLName": IDENTIFIER, "CFBundleURLSchemes": list(SCHEMES)}],
                "LSUIElement": True,  # no icon in the Dock
                _OUR_KEY: self.expected(command),
            }
            self._plist.write_bytes(plistlib.dumps(description))
        except (OSError, plistlib.InvalidFileException) as error:
            raise Refused(Reason.REGISTRATION, f"{self._plist} cannot be changed ({error})") from error

    def uninstall(self) -> bool:
        if not self.bundle.exists():
            return False
        try:
            self.run([_LSREGISTER, "-u", str(self.bundle)])
        except Refused:
            pass  # macOS did not know the app, and forgets it by itself once it is gone
        try:
            shutil.rmtree(self.bundle)
        except OSError as error:
            raise Refused(Reason.REGISTRATION, f"{self.bundle} cannot be removed ({error.strerror})") from error
        return True

    def registered(self) -> dict[str, str | None]:
        try:
            command = plistlib.loads(self._plist.read_bytes()).get(_OUR_KEY)
        except (OSError, plistlib.InvalidFileException):
            command = None
        return dict.fromkeys(SCHEMES, command)

    def expected(self, command: Sequence[str]) -> str:
        return shlex.join(command)


def applescript(command: Sequence[str]) -> str:
    """`do shell script` is AppleScript's only way to call a program; `quoted form` makes the link one argument."""
    call = shlex.join(command).replace("\\", "\\\\").replace('"', '\\"')
    return (
        "on open location theLink\n"
        f'\tdo shell script "{call} " & quoted form of theLink & " > /dev/null 2>&1 &"\n'
        "end open location\n"
    )
