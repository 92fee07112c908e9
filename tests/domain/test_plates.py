"""A job of several copies or print files: each is marked by itself, and the job is done when all are printed."""

from __future__ import annotations

from typing import Any

import pytest

from printsys.domain.changes import FileRenamed, FoundFile, drafts_of
from printsys.domain.events import Event, EventDraft, EventType, build_batch, fold
from printsys.domain.inputs import PlatesInput, validate
from printsys.domain.job import Job, parse
from printsys.domain.plates import MOST_PLATES, open_plates, plates
from printsys.domain.status import Status
from printsys.domain.workflow import plan
from printsys.errors import InvalidInput, TransitionNotAllowed
from tests.domain.test_workflow import NOW, context, first_drafts, job_in, usual

X = Status.PRINTING
FILES = ["plates/one.gcode", "two.gcode"]


def printing(copies: int = 1, files: list[str] | None = None, held: int | None = None, **changed: Any) -> Job:
    """`held`: how many copies the print files hold."""
    estimate = {"for_copies": copies} | ({"plate_copies": held} if held else {}) if copies > 1 else None
    request = {"method": "Filament", "copies": copies}
    return job_in(X, request=request, print_files=files or ["one.gcode"], estimate=estimate, **changed)


def mark(job: Job, state: str, *keys: str, actor: str = "staff:Sam") -> list[EventDraft]:
    return plan(job, "plates", actor, validate(PlatesInput, {"plate": list(keys), "state": state}), context())


def after(job: Job, drafts: list[EventDraft]) -> Job:
    return parse(build_batch(drafts, job.model_dump(mode="json"), 2, b"line", NOW).document)


@pytest.mark.parametrize(
    ("job", "titles"),
    [
        (printing(), []),
        (printing(copies=3), ["Copy 1", "Copy 2", "Copy 3"]),
        (printing(copies=3, held=1), ["Copy 1", "Copy 2", "Copy 3"]),
        (printing(files=FILES), ["plates/one.gcode", "two.gcode"]),
        (printing(copies=4, files=FILES), ["plates/one.gcode", "two.gcode"]),
        (
            printing(copies=3, files=FILES, held=2),
            [f"{file}, print {n} of 2" for file in FILES for n in (1, 2)],
        ),
        (printing(copies=MOST_PLATES + 1), []),
        (printing(copies=0, files=FILES), ["plates/one.gcode", "two.gcode"]),
    ],
    ids=[
        "one",
        "copies",
        "copies one by one",
        "files",
        "files that hold all",
        "files that hold some",
        "too many",
        "none, by hand",
    ],
)
def test_a_job_of_several_has_a_plate_for_each(job: Job, titles: list[str]) -> None:
    assert [plate.title for plate in plates(job)] == titles


def test_a_plate_is_marked_and_marked_otherwise() -> None:
    job = after(printing(files=FILES), drafts := mark(printing(files=FILES), "failed", "1:two.gcode"))
    assert [draft.type for draft in drafts] == [EventType.PLATES_MARKED]
    assert [plate.state for plate in plates(job)] == [None, "failed"] and len(open_plates(job)) == 2
    job = after(job, mark(job, "printed", "1:two.gcode"))
    assert [plate.title for plate in open_plates(job)] == ["plates/one.gcode"]
    assert mark(job, "printed", "1:two.gcode") == [], "it is marked so already"
    cleared = after(job, mark(job, "open", "1:two.gcode"))
    assert "plates" not in cleared.model_dump(mode="json", exclude_none=True) and not open_plates(cleared)


def test_the_last_one_that_is_printed_completes_the_job_in_the_same_batch() -> None:
    job = printing(copies=2)
    job = after(job, mark(job, "reprint", "2:one.gcode"))
    job = after(job, mark(job, "printed", "1:one.gcode"))
    drafts = mark(job, "printed", "2:one.gcode")
    assert [draft.type for draft in drafts] == [
        EventType.PLATES_MARKED,
        EventType.JOB_COMPLETED,
        EventType.EMAIL_QUEUED,
    ]
    assert after(job, drafts).status is Status.COMPLETED and not open_plates(after(job, drafts))


def test_a_job_of_which_a_plate_is_open_is_not_done_unless_a_folder_says_so() -> None:
    untouched = printing(copies=3)
    assert plan(untouched, "complete", "staff", usual("complete"), context()), "nobody marks its copies"
    job = after(untouched, mark(untouched, "printed", "1:one.gcode"))
    with pytest.raises(TransitionNotAllowed, match="2 of its 3 plates are not printed yet"):
        plan(job, "complete", "staff", usual("complete"), context())
    assert plan(job, "complete", "filesystem", usual("complete"), context())


@pytest.mark.parametrize("keys", [["3:one.gcode"], ["1:other.gcode"], ["one.gcode"], ["x"]])
def test_what_is_no_plate_of_the_job_is_refused(keys: list[str]) -> None:
    with pytest.raises(InvalidInput, match="no longer among the job's plates"):
        mark(printing(copies=2), "printed", *keys)


def test_marks_follow_a_print_file_that_somebody_renames() -> None:
    record = {"name": "two.gcode", "role": "slicer", "size": 1, "sha256": "0" * 64}
    record |= {"added_at": "2026-03-02T16:20:11Z", "source": "filesystem"}
    job = parse(printing(files=FILES).model_dump(mode="json") | {"files": [record]})
    job = after(job, mark(job, "failed", "1:two.gcode"))
    renamed = FileRenamed(job.files[0], FoundFile("second.gcode", 1, "0" * 64))
    job = after(job, drafts_of(job, [renamed], NOW))
    assert [(plate.file, plate.state) for plate in plates(job)] == [
        ("plates/one.gcode", None),
        ("second.gcode", "failed"),
    ]


@pytest.mark.parametrize(
    "written",
    [
        7,
        [7],
        [{}],
        [{"file": 1, "number": 1, "state": "printed"}],
        [{"file": "one.gcode", "number": "1", "state": "printed"}],
        [{"file": "one.gcode", "number": 1, "state": "eaten"}],
    ],
)
def test_what_a_person_wrote_there_does_no_harm(written: object) -> None:
    assert [plate.state for plate in plates(printing(copies=2, plates=written))] == [None, None]


def test_marks_are_in_the_log_from_which_metadata_json_folds() -> None:
    first = build_batch(first_drafts(), {}, 0, None, NOW)
    document = first.document | {"status": X.value, "request": {"method": "Filament", "copies": 2}}
    drafts = mark(parse(document), "failed", "1:")
    second = build_batch(drafts, document, len(first.events), b"line", NOW)
    events: list[Event] = [*first.events, *second.events]
    assert fold(events)["plates"] == [{"file": "", "number": 1, "state": "failed"}]
