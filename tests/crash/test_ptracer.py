"""The instrument itself: what it stops is really stopped, and only that."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.crash.ptracer import Fault, require_ptrace, run


@pytest.fixture(autouse=True)
def _traceable() -> None:
    require_ptrace()


def four_files(root: Path) -> None:
    for n in range(4):
        os.mkdir(root / str(n))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_child_killed_at_its_nth_call_did_all_before_it_and_nothing_after(tmp_path: Path, n: int) -> None:
    outcome = run(lambda: four_files(tmp_path), tmp_path, Fault(at=n))
    assert outcome.killed
    assert [call.name for call in outcome.calls] == ["mkdir"] * n
    assert sorted(os.listdir(tmp_path)) == [str(k) for k in range(n - 1)]


def test_a_fault_beyond_the_last_call_does_not_happen(tmp_path: Path) -> None:
    outcome = run(lambda: four_files(tmp_path), tmp_path, Fault(at=5))
    assert (outcome.killed, outcome.error, len(os.listdir(tmp_path))) == (False, None, 4)


def test_an_injected_error_reaches_the_program_and_nothing_happens_on_disk(tmp_path: Path) -> None:
    def work() -> None:
        with pytest.raises(OSError) as refused:
            os.mkdir(tmp_path / "a")
        assert refused.value.errno == errno.ENOSPC

    assert run(work, tmp_path, Fault(at=1, errno=errno.ENOSPC)).error is None
    assert os.listdir(tmp_path) == []


def test_a_write_that_is_cut_short_is_short_on_disk(tmp_path: Path) -> None:
    def work() -> None:
        descriptor = os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
        assert os.write(descriptor, b"0123456789") == 4

    assert run(work, tmp_path, Fault(at=1, short=4, among="write")).error is None
    assert (tmp_path / "a").read_bytes() == b"0123"


def test_what_the_child_raises_is_told(tmp_path: Path) -> None:
    def work() -> None:
        raise ValueError("broken")

    outcome = run(work, tmp_path)
    assert outcome.error is not None
    assert "ValueError: broken" in outcome.error


def test_calls_elsewhere_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()

    def work() -> None:
        os.mkdir(tmp_path / "out")
        os.mkdir(tmp_path / "in" / "a")

    assert [call.path for call in run(work, tmp_path / "in").calls] == [str(tmp_path / "in/a")]
