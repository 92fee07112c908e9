"""Linux: a .desktop file, and xdg-mime to make it the one for our links.

https://specifications.freedesktop.org/desktop-entry-spec and https://specifications.freedesktop.org/mime-apps-spec
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from opener import tomltext
from opener.launch import clean_environment
from opener.refusals import Reason, Refused
from opener.url import SCHEMES

DESKTOP_FILE = "printsys-opener.desktop"
_TYPES = [f"x-scheme-handler/{scheme}" for scheme in SCHEMES]
_DESKTOP_ENTRY = f"""\
[Desktop Entry]
Type=Application
Name=Print lab opener
Comment=Opens a print job's file in the slicer
Exec=%s
Terminal=false
NoDisplay=true
MimeType={";".join(_TYPES)};
"""
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9@_+=:,./-]+")


class LinuxRegistration:
    def __init__(self, environ: Mapping[str, str]) -> None:
        home = Path(environ.get("HOME") or Path.home())
        self.environ = clean_environment(environ)
        self.applications = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "applications"
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        self.lists = (config / "mimeapps.list", self.applications / "mimeapps.list")

    @property
    def file(self) -> Path:
        return self.applications / DESKTOP_FILE

    def install(self, command: Sequence[str]) -> None:
        try:
            for mime_list in self.lists:  # xdg-mime writes was_registered, but makes no folder
                mime_list.parent.mkdir(parents=True, exist_ok=True)
            tomltext.write(self.file, _DESKTOP_ENTRY % self.expected(command))
        except OSError as error:
            raise Refused(Reason.REGISTRATION, f"{self.file} cannot be written ({error.strerror})") from error
        for mime_type in _TYPES:
            self._xdg_mime("default", DESKTOP_FILE, mime_type)

    def uninstall(self) -> bool:
        was_registered = self.file.exists()
        try:
            self.file.unlink(missing_ok=True)
            for mime_list in self.lists:
                _remove_opener_from(mime_list)
        except OSError as error:
            raise Refused(Reason.REGISTRATION, f"{error.filename} cannot be changed ({error.strerror})") from error
        return was_registered

    def registered(self) -> dict[str, str | None]:
        return {scheme: self._opened_by(f"x-scheme-handler/{scheme}") for scheme in SCHEMES}

    def _opened_by(self, mime_type: str) -> str | None:
        """The Exec line of our own file, or the name of another program's."""
        name = self._xdg_mime("query", "default", mime_type)
        if name != DESKTOP_FILE:
            return name or None
        try:
            lines = self.file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return None
        return next((line.removeprefix("Exec=") for line in lines if line.startswith("Exec=")), None)

    def expected(self, command: Sequence[str]) -> str:
        return " ".join([*map(exec_argument, command), "%u"])

    def _xdg_mime(self, *arguments: str) -> str:
        try:
            result = subprocess.run(
                ["xdg-mime", *arguments],
                env=self.environ,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=30,
                check=False,
            )
        except FileNotFoundError:
            raise Refused(Reason.REGISTRATION, "xdg-mime is missing (apt install xdg-utils)") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Refused(Reason.REGISTRATION, f"xdg-mime does not run ({error})") from error
        if result.returncode != 0 and arguments[0] == "default":
            raise Refused(Reason.REGISTRATION, result.stderr.strip() or f"xdg-mime ended with {result.returncode}")
        return result.stdout.strip()


def exec_argument(argument: str) -> str:
    """One argument as the key Exec wants it: quoted only where necessary, since xdg-open itself splits at spaces."""
    argument = argument.replace("%", "%%")
    if _NEEDS_NO_QUOTES.fullmatch(argument):
        return argument
    quoted = re.sub(r'(["`$\\])', r"\\\1", argument)
    # Once more for the rule of all text values of a desktop entry.
    return '"' + quoted.replace("\\", "\\\\") + '"'


def _remove_opener_from(mime_list: Path) -> None:
    """Changes a mimeapps.list; removes the file where nothing but its headings remains."""
    if not mime_list.exists():
        return
    before = mime_list.read_text("utf-8", errors="surrogateescape").splitlines()
    after = [line for line in map(_without_opener, before) if line is not None]
    if after == before:
        return
    if any(line.strip() and not line.startswith("[") for line in after):
        text = "\n".join(after) + "\n"
        beside = mime_list.with_name(f"{mime_list.name}.{os.getpid()}.new")
        beside.write_text(text, "utf-8", errors="surrogateescape")
        os.replace(beside, mime_list)
    else:
        mime_list.unlink()


def _without_opener(line: str) -> str | None:
    key, equals, value = line.partition("=")
    programs = value.split(";")
    if not equals or DESKTOP_FILE not in programs:
        return line
    others = [program for program in programs if program and program != DESKTOP_FILE]
    return f"{key}={';'.join(others)};" if others else None
