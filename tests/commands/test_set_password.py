"""`manage.py set-password`, which staff call where the password that was shown is lost."""

from __future__ import annotations

import io
import sys

import pytest

from printsys.config import load_settings
from printsys.credentials import staff_password
from printsys.errors import PrintSysError
from tests.manage import Manage


def test_without_input_it_says_so_and_changes_nothing(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(PrintSysError, match="No password was given; nothing was changed"):
        manage("set_password")
    assert staff_password.current_hash(load_settings()) is None


def test_from_standard_input_it_changes_the_password(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long new password\n"))
    assert manage("set_password", "--stdin").out == "The staff password is changed.\n"
    assert staff_password.is_right("a long new password", staff_password.current_hash(load_settings()))


def test_without_a_terminal_it_is_read_twice(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long new password\na long new pasword\n"))
    with pytest.raises(PrintSysError, match="not the same"):
        manage("set_password")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long new password\na long new password\n"))
    assert manage("set_password").code == 0
    assert staff_password.is_right("a long new password", staff_password.current_hash(load_settings()))


def test_one_that_is_too_short_is_refused(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    with pytest.raises(PrintSysError, match="nothing was changed"):
        manage("set_password", "--stdin")
