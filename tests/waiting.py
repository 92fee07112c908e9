"""Waiting for what another process does, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], patience_s: float = 120) -> None:
    """Return as soon as `condition()` holds; fail when it still does not after `patience_s` seconds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {patience_s} s"
        time.sleep(0.02)
