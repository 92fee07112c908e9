"""Copies: by the system where it can, byte for byte in any case."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import NoReturn

import psutil
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


def test_a_precondition_that_meets_a_missing_file_leaves_no_temporary(tmp_path: Path) -> None:
    def is_as_it_was() -> bool:
        return fs.read(tmp_path / "deleted meanwhile") == b""

    with pytest.raises(FileNotFoundError):
        fs.replace(tmp_path / "metadata.json", b"{}", is_as_it_was)
    assert list(tmp_path.iterdir()) == []


def is_in_memory(path: Path) -> bool:
    if sys.platform != "linux":
        pytest.skip("nobody else tells")
    with path.open("rb") as file:
        try:
            return os.preadv(file.fileno(), [bytearray(10)], 0, os.RWF_NOWAIT) > 0
        except BlockingIOError:
            return False


def test_a_synced_file_is_read_from_the_disk_though_memory_had_it(tmp_path: Path) -> None:
    mounts = [part for part in psutil.disk_partitions(all=True) if tmp_path.is_relative_to(part.mountpoint)]
    if max(mounts, key=lambda part: len(part.mountpoint)).fstype not in ("ext4", "xfs"):
        pytest.skip("this file system may have no disk")
    path = tmp_path / "content"
    fs.write_new(path, b"x" * 100_000)
    assert path.read_bytes() and is_in_memory(path)
    fs.forget_cached(path)
    assert not is_in_memory(path)
