"""macOS's registration, by the bundle it makes. docs/opener.md says what was not run on a real Mac."""

from __future__ import annotations

import plistlib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from opener.refusals import Reason, Refused
from opener.registration_macos import BUNDLE, MacRegistration, applescript
from opener.url import SCHEMES

COMMAND = ["/usr/local/bin/python3", "-I", '/Volumes/Jane\'s "lab"\\opener/__main__.py', "open", "--"]


class Mac:
    """Instead of Apple's tools: makes what osacompile makes, notes the rest."""

    def __init__(self, home: Path) -> None:
        self.ran: list[str] = []
        self.script = ""
        self.fails = ""
        self.signed: bytes = b""
        self.bundle = home / "Applications" / BUNDLE

    def run(self, command: Sequence[str]) -> None:
        tool = Path(command[0]).name
        self.ran.append(" ".join([tool, *(part for part in command[1:] if part.startswith("-") and part != "-")]))
        if tool == self.fails:
            raise Refused(Reason.REGISTRATION, f"{tool} ended with 1")
        if tool == "osacompile":
            self.script = Path(command[3]).read_text("utf-8")
            (self.bundle / "Contents").mkdir(parents=True)
            (self.bundle / "Contents" / "Info.plist").write_bytes(plistlib.dumps({"CFBundleExecutable": "applet"}))
        if tool == "codesign":
            self.signed = (self.bundle / "Contents" / "Info.plist").read_bytes()

    @property
    def plist(self) -> dict[str, object]:
        description: dict[str, object] = plistlib.loads((self.bundle / "Contents" / "Info.plist").read_bytes())
        return description


@pytest.fixture
def mac(tmp_path: Path) -> Mac:
    return Mac(tmp_path)


@pytest.fixture
def registration(mac: Mac, tmp_path: Path) -> MacRegistration:
    return MacRegistration(tmp_path, mac.run)


def test_a_bundle_is_made_that_takes_links_of_both_spellings(mac: Mac, registration: MacRegistration) -> None:
    registration.install(COMMAND)
    assert mac.plist["CFBundleURLTypes"] == [
        {"CFBundleURLName": "lab.printsys.opener", "CFBundleURLSchemes": list(SCHEMES)}
    ]
    assert mac.plist["CFBundleExecutable"] == "applet", "what osacompile wrote stays"
    assert registration.registered() == dict.fromkeys(SCHEMES, registration.expected(COMMAND))


def test_the_bundle_is_signed_as_it_is_and_registered_after_that(mac: Mac, registration: MacRegistration) -> None:
    registration.install(COMMAND)
    assert mac.ran == ["osacompile -o", "codesign --force --sign", "lsregister -f"]
    assert plistlib.loads(mac.signed) == mac.plist


def test_the_script_calls_the_command_word_for_word() -> None:
    call = re.search(r'do shell script "((?:[^"\\]|\\.)*)" & quoted form of theLink', applescript(COMMAND))
    assert call
    assert shlex.split(re.sub(r"\\(.)", r"\1", call.group(1))) == COMMAND


def test_installing_again_makes_a_new_bundle(mac: Mac, registration: MacRegistration) -> None:
    registration.install(["/old"])
    (mac.bundle / "old").touch()
    registration.install(COMMAND)
    assert not (mac.bundle / "old").exists()
    assert registration.registered()["printsys"] == registration.expected(COMMAND)


@pytest.mark.parametrize("registered", [True, False])
def test_uninstall_leaves_nothing_behind(
    mac: Mac, registration: MacRegistration, tmp_path: Path, registered: bool
) -> None:
    registration.install(COMMAND)
    mac.fails = "" if registered else "lsregister"
    assert registration.uninstall()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert registration.registered() == dict.fromkeys(SCHEMES)
    assert not registration.uninstall()


@pytest.mark.parametrize("tool", ["osacompile", "codesign", "lsregister"])
def test_a_tool_that_fails_is_named(mac: Mac, registration: MacRegistration, tool: str) -> None:
    mac.fails = tool
    with pytest.raises(Refused, match=f"{tool} ended with 1"):
        registration.install(COMMAND)


def test_a_folder_that_cannot_be_made_is_reported(registration: MacRegistration, tmp_path: Path) -> None:
    (tmp_path / "Applications").touch()
    with pytest.raises(Refused, match="cannot be made"):
        registration.install(COMMAND)


def test_tools_that_are_not_there_are_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="/usr/bin/osacompile does not run"):
        MacRegistration(tmp_path).install(COMMAND)
