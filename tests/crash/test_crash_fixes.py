"""The fixes of what needs a person, stopped at every call: pressed again they end the same, and no byte goes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from printsys.domain.creation import walk_in_created
from printsys.domain.inputs import WalkInInput
from printsys.domain.status import Status
from printsys.jobstore import IncomingFile, JobStore, trash
from printsys.jobstore.restore import restore_record
from tests.crash.ptracer import require_ptrace
from tests.crash.test_crash_points import Scene, Stage, points

STL = b"solid found\nendsolid found\n"


@pytest.fixture(autouse=True)
def _traceable() -> None:
    require_ptrace()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, Scene("notes", Status.PENDING))


def folder(stage: Stage) -> Path:
    assert stage.job_id is not None
    return stage.open().find(stage.job_id)


def test_beginning_a_damaged_record_anew_ends_the_same_wherever_it_was_stopped(stage: Stage) -> None:
    log = folder(stage) / "events.jsonl"
    ruined = log.read_bytes().replace(b"Jane Doe", b"June Doe", 1)
    log.write_bytes(ruined)
    stage.keep()

    def fix() -> None:
        assert stage.job_id is not None
        restore_record(stage.open(), stage.job_id, "staff")

    stopped = 0
    for _, _ in points(stage, fix, stage.put_back):
        fix()
        stored = stage.open().load(stage.job_id or "")
        assert (stored.problem, stored.job.status) == (None, Status.PENDING)
        assert [path.read_bytes() for path in (stored.folder / "aside").glob("events-*") if ruined == path.read_bytes()]
        assert stage.complaints() == []
        stopped += 1
    assert stopped > 20


@pytest.mark.parametrize("put_away", [trash.discard, trash.quarantine])
def test_what_is_put_away_is_whole_in_one_place_wherever_it_was_stopped(
    stage: Stage, put_away: Callable[[JobStore, str], Path]
) -> None:
    folder = stage.root / "Uploaded" / "strange"
    folder.mkdir()
    (folder / "part.stl").write_bytes(STL)
    stage.keep()

    def fix() -> None:
        put_away(stage.open(), "Uploaded/strange")

    stopped = 0
    for _, state in points(stage, fix, stage.put_back):
        assert [data for name, data in state.items() if name.endswith("strange/part.stl")] == [STL]
        stopped += 1
    assert stopped > 3


def test_a_walk_in_that_is_stopped_leaves_what_it_was_made_of(stage: Stage) -> None:
    loose = stage.root / "Uploaded" / "part.stl"
    loose.write_bytes(STL)
    stage.keep()
    walk_in = WalkInInput(student_name="Sam Roe", print_method="Filament")

    def fix() -> None:
        store = stage.open()
        store.create(
            lambda job_id: f"SamRoe_Filament_Color_{job_id}",
            [IncomingFile("part.stl", io.BytesIO(STL), "filesystem")],
            lambda job_id, staged: walk_in_created(
                job_id, staged.folder_name, walk_in, staged.files, "staff", store.clock(), "Uploaded/part.stl"
            ),
        )
        trash.discard(store, "Uploaded/part.stl")

    for _, state in points(stage, fix, stage.put_back):
        copies = [name for name, data in state.items() if data == STL and "staging" not in name]
        assert copies, sorted(state)
        stage.repair()
        assert {complaint for complaint in stage.complaints() if "part.stl" not in complaint} == set()
