"""Copies: by the system where it can, byte for byte in any case."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from printsys import fs

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="copy_file_range is Linux' own")


def refuse(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("size", [0, 1, (3 << 20) + 7])
def test_a_copy_has_the_same_bytes(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(os.urandom(size))
    fs.copy(source, target)
    assert target.read_bytes() == source.read_bytes()
    source.write_bytes(b"changed")
    assert target.stat().st_size == size, "it is a file of its own"


def test_a_copy_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        fs.copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"somebody's"


@linux_only
@pytest.mark.parametrize("number", [errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_the_system_does_not_copy_we_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(os, "copy_file_range", lambda *_: refuse(number))
    (tmp_path / "a").write_bytes(b"bytes" * 1000)
    fs.copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"bytes" * 1000


@linux_only
def test_what_the_system_copied_in_part_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system_copy, calls = os.copy_file_range, []

    def copy_some(source: int, target: int, count: int) -> int:
        calls.append(count)
        return system_copy(source, target, 100) if len(calls) == 1 else 0

    monkeypatch.setattr(os, "copy_file_range", copy_some)
    (tmp_path / "a").write_bytes(b"bytes" * 1000)
    fs.copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"bytes" * 1000


@linux_only
def test_a_full_disk_is_told_and_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", lambda *_: refuse(errno.ENOSPC))
    (tmp_path / "a").write_bytes(b"bytes")
    with pytest.raises(OSError) as caught:
        fs.copy(tmp_path / "a", tmp_path / "b")
    assert caught.value.errno == errno.ENOSPC
