"""`manage.py prune` on what lies outside of storage; the rest is in test_archive_prune.py."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from printsys.assessment.upload_checker import SCRATCH
from printsys.errors import PrintSysError
from printsys.jobstore import trash
from tests.factories import act, make_job, make_store
from tests.manage import Manage


def test_what_an_interrupted_inspection_left_in_instance_is_removed(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manage = Manage(tmp_path, database_url, monkeypatch, capsys)
    monkeypatch.setattr(trash, "STALE", timedelta(0))
    make_store(tmp_path)
    scratch = tmp_path / "instance" / SCRATCH / "tmp123"
    scratch.mkdir(parents=True)
    assert f"{scratch.as_posix()}, left of the inspection of a model on" in manage("prune", "--dry-run").out
    (row,) = manage("prune", "--json").json["found"]
    assert (row["kind"], row["path"], row["removed"]) == ("scratch", scratch.as_posix(), True)
    assert not scratch.exists()


@pytest.mark.parametrize("words", [("--older-than", "400"), ("--confirm", "prune 1 job")])
def test_what_only_archived_jobs_take_does_not_empty_the_trash(
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    manage = Manage(tmp_path, database_url, monkeypatch, capsys)
    monkeypatch.setattr(trash, "TRASH_KEEPS", timedelta(0))
    store = make_store(tmp_path)
    deleted = act(store, make_job(store).id, "delete").folder
    with pytest.raises(PrintSysError, match="are for --archived"):
        manage("prune", "--yes", *words)
    assert deleted.exists()
