"""Windows' registration, in a stand-in for its registry. docs/opener.md says what was not run on real Windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from opener import registration
from opener.refusals import Reason, Refused
from opener.registration_windows import WindowsRegistration
from opener.url import SCHEMES
from tests.opener.fake_winreg import FakeRegistry

COMMAND = [r"C:\Program Files\Python311\pythonw.exe", "-I", r"P:\print lab\opener\__main__.py", "open", "--"]
CLASSES = r"Software\Classes"


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.put(registry.HKEY_CURRENT_USER, rf"{CLASSES}\mailto\shell\open\command", default="mail.exe")
    return registry


def test_links_of_both_spellings_call_the_opener(registry: FakeRegistry) -> None:
    windows = WindowsRegistration(registry)
    windows.install(COMMAND)
    assert windows.registered() == dict.fromkeys(SCHEMES, windows.expected(COMMAND))
    for scheme in SCHEMES:
        key = registry.HKEY_CURRENT_USER.at(rf"{CLASSES}\{scheme}")
        assert key.values[""][0].startswith("URL:")
        assert key.values["url protocol"] == ("", registry.REG_SZ)
    assert not registry.HKEY_LOCAL_MACHINE.keys, "no administrator is needed"


def test_the_command_quotes_paths_with_spaces_and_the_link() -> None:
    assert WindowsRegistration(FakeRegistry()).expected(COMMAND) == (
        r'"C:\Program Files\Python311\pythonw.exe" -I "P:\print lab\opener\__main__.py" open -- "%1"'
    )


def test_uninstall_leaves_nothing_behind_and_others_alone(registry: FakeRegistry) -> None:
    windows = WindowsRegistration(registry)
    windows.install(COMMAND)
    assert windows.uninstall()
    assert list(registry.HKEY_CURRENT_USER.at(CLASSES).keys) == ["mailto"]
    assert windows.registered() == dict.fromkeys(SCHEMES)
    assert not windows.uninstall(), "there is nothing to remove"


def test_uninstall_leaves_another_program_s_registration(registry: FakeRegistry) -> None:
    registry.put(registry.HKEY_CURRENT_USER, rf"{CLASSES}\3dprint", default="URL:Other")
    registry.put(registry.HKEY_CURRENT_USER, rf"{CLASSES}\3dprint\shell\open\command", default="other.exe")
    assert not WindowsRegistration(registry).uninstall()
    assert WindowsRegistration(registry).registered() == {"3dprint": "other.exe", "printsys": None}


def test_installing_again_replaces_what_was_registered(registry: FakeRegistry) -> None:
    windows = WindowsRegistration(registry)
    windows.install(["old.exe"])
    windows.install(COMMAND)
    assert set(windows.registered().values()) == {windows.expected(COMMAND)}


def test_a_value_that_is_no_text_is_not_taken_for_a_command(registry: FakeRegistry) -> None:
    registry.put(registry.HKEY_CURRENT_USER, rf"{CLASSES}\3dprint\shell\open\command", default=7)
    assert WindowsRegistration(registry).registered()["3dprint"] is None


@pytest.mark.parametrize("locked", [r"3dprint", r"printsys\shell\open\command"])
def test_a_registry_that_is_locked_is_reported_with_its_key(registry: FakeRegistry, locked: str) -> None:
    registry.read_only = {rf"{CLASSES}\{locked}"}
    with pytest.raises(Refused, match="Access is denied") as refused:
        WindowsRegistration(registry).install(COMMAND)
    assert refused.value.reason is Reason.REGISTRATION and locked in str(refused.value)


def test_a_key_that_cannot_be_deleted_is_reported(registry: FakeRegistry) -> None:
    windows = WindowsRegistration(registry)
    windows.install(COMMAND)
    registry.read_only = {rf"{CLASSES}\printsys\shell"}
    with pytest.raises(Refused, match="cannot be deleted"):
        windows.uninstall()
    registry.read_only = set()
    assert windows.uninstall(), "the rest can still be removed"
    assert list(registry.HKEY_CURRENT_USER.at(CLASSES).keys) == ["mailto"]


def test_python_without_a_console_is_called_where_it_is_there(tmp_path: Path) -> None:
    python = tmp_path / "python.exe"
    python.touch()
    assert registration.own_command(str(python), False, "win32")[0] == str(python)
    (tmp_path / "pythonw.exe").touch()
    assert registration.own_command(str(python), False, "win32")[0] == str(tmp_path / "pythonw.exe")


def test_the_one_exe_calls_itself() -> None:
    assert registration.own_command(r"C:\opener.exe", True, "win32") == [r"C:\opener.exe", "open", "--"]
