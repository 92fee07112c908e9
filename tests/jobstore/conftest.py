"""A storage folder of its own for each test, and a job in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from printsys.jobstore import JobStore, Stored
from tests import factories
from tests.factories import STL


def submit(store: JobStore, name: str = "Jane Doe", files: dict[str, bytes] | None = None) -> Stored:
    return factories.make_job(store, name, files=list((files or {"bracket v2.stl": STL}).items()))


def act(store: JobStore, job: Stored, action: str, expected_revision: int | None = None, **fields: Any) -> Stored:
    return factories.act(store, job.id, action, expected_revision=expected_revision, **fields)


def approve(store: JobStore, job: Stored) -> Stored:
    return act(store, job, "approve")


def tree(root: Path) -> dict[str, bytes]:
    """Every file under storage/ with its bytes, but for locks (which are nobody's record)."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "locks" not in path.relative_to(root).parts
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def open_store(tmp_path: Path) -> Callable[[], JobStore]:
    """A store as another process of the same machine would open it."""
    return lambda: factories.make_store(tmp_path)


@pytest.fixture
def job(store: JobStore) -> Stored:
    return submit(store)
