"""Files that the disk refuses, whoever asks."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CAPABILITY_VERSION_3 = 0x20080522
OVERRIDES = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (linux/capability.h)."""


def refuse_to_open(path: Path) -> None:
    """The file cannot be opened any more, not even by root: its name leads to itself."""
    if sys.platform == "win32":
        pytest.skip("Windows makes links for administrators only")
    path.unlink()
    path.symlink_to(path.name)


@contextlib.contextmanager
def modes_bind_root() -> Iterator[None]:
    """While the body runs, files' modes hold for this thread even where root runs it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    effective = sets[0]
    sets[0] &= ~OVERRIDES
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = effective
        assert libc.capset(header, sets) == 0
