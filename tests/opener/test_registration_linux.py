"""Linux' registration, for real: an account of its own, and the system's xdg-mime."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opener.refusals import Refused
from opener.registration_linux import DESKTOP_FILE, LinuxRegistration, exec_argument
from opener.url import SCHEMES
from tests.opener.commands import Home, linux_only, new_home

COMMAND = ["/usr/bin/python3", "-I", "/opt/print lab/opener/__main__.py", "open", "--"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path / "home")


@pytest.fixture
def linux(home: Home) -> LinuxRegistration:
    return LinuxRegistration(home.environ)


@linux_only
@pytest.mark.needs("xdg-mime")
def test_links_of_both_spellings_call_the_opener(linux: LinuxRegistration) -> None:
    assert linux.registered() == dict.fromkeys(SCHEMES)
    linux.install(COMMAND)
    assert linux.registered() == dict.fromkeys(SCHEMES, linux.expected(COMMAND))
    assert linux.expected(COMMAND).endswith('"/opt/print lab/opener/__main__.py" open -- %u')


@linux_only
@pytest.mark.needs("xdg-mime")
def test_uninstall_leaves_nothing_behind(linux: LinuxRegistration, home: Home) -> None:
    linux.install(COMMAND)
    linux.install(COMMAND)
    assert linux.uninstall()
    assert home.everything() == []
    assert linux.registered() == dict.fromkeys(SCHEMES)
    assert not linux.uninstall()


@linux_only
@pytest.mark.needs("xdg-mime")
def test_what_other_programs_registered_stays(linux: LinuxRegistration, home: Home) -> None:
    mime_list = home.path / ".config" / "mimeapps.list"
    mime_list.parent.mkdir()
    before = (
        "[Added Associations]\nx-scheme-handler/3dprint=other.desktop;\n\n"
        "[Default Applications]\nmodel/stl=viewer.desktop\n# caf\udce9\n"
    )
    mime_list.write_text(before, "utf-8", errors="surrogateescape")
    linux.install(COMMAND)
    linux.uninstall()
    after = mime_list.read_text("utf-8", errors="surrogateescape")
    assert after.split() == before.split()


@linux_only
@pytest.mark.needs("xdg-mime")
def test_another_program_of_the_same_links_is_named(linux: LinuxRegistration, home: Home) -> None:
    linux.install(COMMAND)
    mime_list = home.path / ".config" / "mimeapps.list"
    mime_list.write_text(mime_list.read_text("utf-8").replace(DESKTOP_FILE, "other.desktop"), "utf-8")
    (home.applications / "other.desktop").write_text(
        "[Desktop Entry]\nType=Application\nName=Other\nExec=/bin/true %u\n",
        "utf-8",
    )
    assert linux.registered() == dict.fromkeys(SCHEMES, "other.desktop")


def test_a_folder_that_cannot_be_written_is_reported(linux: LinuxRegistration, home: Home) -> None:
    (home.path / ".local").touch()
    with pytest.raises(Refused, match="cannot be written"):
        linux.install(COMMAND)


@given(st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), min_size=1))
def test_any_argument_comes_out_as_it_went_in(argument: str) -> None:
    """Read as the Desktop Entry Specification says: the value's escapes first, then quotes, then field codes."""
    value = exec_argument(argument)
    parsed = value
    if value.startswith('"'):
        parsed = re.sub(r'\\(["`$\\])', r"\1", value.replace("\\\\", "\\").removeprefix('"').removesuffix('"'))
    assert parsed.replace("%%", "%") == argument
