"""What a slicer's file means for its job: a prefilled approval before, a difference told after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from printsys.domain.estimates import SlicerReading, chosen_files, file_read, model_of, open_difference, working_copies
from printsys.domain.events import Event, EventDraft, EventType
from printsys.domain.job import FileRecord, Job, parse
from printsys.domain.pending_work import to_inspect, to_read
from printsys.domain.status import Status
from tests.present import present

NOW = datetime(2026, 3, 2, 16, 20, 11, tzinfo=UTC)
SLICER_FACTS = {"program": "PrusaSlicer"}
GCODE = SlicerReading("a.gcode", "PrusaSlicer 2.9", Decimal("42.7"), None, Decimal("3.1"), "PLA")


def record(name: str, role: str = "slicer", minutes: int = 0, slicer: dict[str, Any] | None = None) -> dict[str, Any]:
    at = (NOW + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "name": name, "role": role, "size": 9, "sha256": name, "added_at": at, "source": "filesystem",
        "slicer": slicer,
    }  # fmt: skip


def job(status: Status = Status.UPLOADED, *files: dict[str, Any], **fields: Any) -> Job:
    return parse(
        {
            "schema_version": 1, "id": "k7m29xq4", "revision": 3, "status": status.value,
            "status_since": "2026-03-02T16:20:11Z", "created_at": "2026-03-02T16:20:11Z",
            "updated_at": "2026-03-02T16:20:11Z", "student": {"name": "Jane Doe"}, "request": {"method": "Filament"},
            "files": list(files), "print_files": [],
        } | fields
    )  # fmt: skip


def read(of: Job, name: str, *readings: SlicerReading, events: tuple[Event, ...] = ()) -> list[EventDraft]:
    record_read = of.file(name)
    assert record_read is not None
    return file_read(of, record_read, SLICER_FACTS, {reading.file: reading for reading in readings}, events)


AGREED = {
    "estimate": {"weight_g": "42.7", "time_h": "3.5", "material": "PLA", "cost": "4.27"},
    "print_files": ["a.gcode"],
}


def test_a_sliced_file_prefills_the_approval_with_hours_up_to_the_half() -> None:
    of = job(Status.UPLOADED, record("a.stl", "working"), record("a.gcode"))
    (draft,) = read(of, "a.gcode", GCODE)
    assert (draft.type, draft.data) == (EventType.ESTIMATE_READ, {"name": "a.gcode", "program": "PrusaSlicer 2.9"})
    assert draft.patch["print_files"] == ["a.gcode"]
    estimate = draft.patch["estimate"]
    assert (estimate["weight_g"], estimate["time_h"], estimate["material"]) == ("42.7", "3.5", "PLA")
    assert estimate.get("cost") is None, "a price is staff's to give"
    assert draft.patch["files"][1]["slicer"] == SLICER_FACTS


def test_a_file_that_says_nothing_of_a_print_is_only_noted() -> None:
    (draft,) = read(job(Status.UPLOADED, record("a.3mf")), "a.3mf")
    assert draft.type == EventType.FILE_READ
    assert set(draft.patch) == {"files"}


AGAIN = SLICER_FACTS | {"reading": 2}


def read_again(of: Job, earlier: SlicerReading | None, *readings: SlicerReading) -> list[EventDraft]:
    """`a.gcode`, which an earlier version of the system read as `earlier`."""
    return file_read(of, present(of.file("a.gcode")), AGAIN, {r.file: r for r in readings}, (), earlier)


OTHERWISE = replace(GCODE, weight_g=Decimal(611))


def test_what_is_read_again_as_before_is_no_news() -> None:
    for status in (Status.UPLOADED, Status.PENDING):
        of = job(status, record("a.gcode", slicer=SLICER_FACTS), **(AGREED if status is Status.PENDING else {}))
        (draft,) = read_again(of, GCODE, GCODE)
        assert (draft.type, draft.data, set(draft.patch)) == (
            EventType.FILE_READ, {"name": "a.gcode", "again": True}, {"files"},
        )  # fmt: skip
        assert draft.patch["files"][0]["slicer"] == AGAIN


def test_what_is_read_otherwise_corrects_what_the_approval_begins_with() -> None:
    estimate = {"weight_g": "611", "time_h": "3.5", "material": "PLA", "source": "slicer"}
    of = job(Status.UPLOADED, record("a.gcode", slicer=SLICER_FACTS), estimate=estimate, print_files=["a.gcode"])
    (draft,) = read_again(of, OTHERWISE, GCODE)
    assert draft.type == EventType.ESTIMATE_READ and draft.patch["estimate"]["weight_g"] == "42.7"
    (silent,) = read_again(of, OTHERWISE)
    assert silent.patch["estimate"] is None, "what no reader says any more is no figure"


def test_what_is_read_otherwise_leaves_staff_s_own_figures_and_the_price() -> None:
    by_staff = {"weight_g": "50", "time_h": "3.5", "material": "PLA", "cost": "5", "source": "staff"}
    undone = job(Status.UPLOADED, record("a.gcode", slicer=SLICER_FACTS), estimate=by_staff, print_files=["a.gcode"])
    (draft,) = read_again(undone, GCODE, OTHERWISE)
    assert set(draft.patch) == {"files"}
    (raised,) = read_again(job(Status.PENDING, record("a.gcode", slicer=SLICER_FACTS), **AGREED), GCODE, OTHERWISE)
    assert set(raised.patch) == {"files"}
    assert raised.data["differences"] == ["it takes 611 g, agreed were 42.7 g"]


def test_reading_twice_or_reading_what_was_saved_over_since_adds_nothing() -> None:
    already_read = job(Status.UPLOADED, record("a.gcode", slicer=SLICER_FACTS))
    assert read(already_read, "a.gcode", GCODE) == []
    rewritten = FileRecord(
        name="a.gcode", role="slicer", size=9, sha256="other bytes", added_at=NOW, source="filesystem"
    )
    assert file_read(job(Status.UPLOADED, record("a.gcode")), rewritten, SLICER_FACTS, {"a.gcode": GCODE}, ()) == []
    assert file_read(job(Status.UPLOADED), rewritten, SLICER_FACTS, {"a.gcode": GCODE}, ()) == []


def test_the_newest_slicing_of_each_of_the_students_models_is_printed() -> None:
    of = job(
        Status.UPLOADED,
        record("Jane_x.stl", "working"),
        record("Jane_x_2.stl", "working"),
        record("Jane_x_0.2mm.gcode", minutes=1, slicer=SLICER_FACTS),
        record("Jane_x_2_0.2mm.gcode", minutes=2, slicer=SLICER_FACTS),
        record("Jane_x_0.1mm.gcode", minutes=3),
    )
    readings = [replace(GCODE, file=f.name) for f in of.files if f.role == "slicer"]
    (draft,) = read(of, "Jane_x_0.1mm.gcode", *readings)
    assert draft.patch["print_files"] == ["Jane_x_2_0.2mm.gcode", "Jane_x_0.1mm.gcode"]
    assert draft.patch["estimate"]["weight_g"] == "85.4"
    assert draft.patch["estimate"]["time_h"] == "6.5", "rounded once, after adding"
    assert [part["file"] for part in draft.patch["estimate"]["parts"]] == draft.patch["print_files"]


def test_what_staff_chose_is_not_chosen_anew() -> None:
    of = job(Status.UPLOADED, record("a.gcode", slicer=SLICER_FACTS), record("b.gcode"), print_files=["a.gcode"])
    by_hand = Event(seq=1, at=NOW, type=EventType.PRINT_FILE_CHOSEN.value, actor="staff")
    readings = {"a.gcode": GCODE, "b.gcode": replace(GCODE, file="b.gcode")}
    assert chosen_files(of, readings, [by_hand]) == ["a.gcode"]
    assert chosen_files(of, readings, []) == ["b.gcode"]


def test_a_request_that_was_sent_again_is_told_by_its_own_files_alone() -> None:
    old = {"superseded": True}
    of = job(
        Status.UPLOADED,
        record("original/jane.stl", "original") | old,
        record("Jane_x.stl", "working") | old,
        record("Jane_x.gcode") | old,
        record("original/jane 2.stl", "original"),
        record("Jane_x_v2.stl", "working"),
        record("Jane_x_v2.gcode"),
        print_files=["Jane_x_v2.stl"],
    )
    assert [file.name for file in to_read(of)] == ["Jane_x_v2.gcode"]
    assert [file.name for file in to_inspect(of)] == ["original/jane 2.stl", "Jane_x_v2.stl"]
    assert model_of("Jane_x_v2.gcode", working_copies(of)) == "Jane_x_v2.stl"
    chosen = Event(seq=1, at=NOW, type=EventType.PRINT_FILE_CHOSEN.value, actor="staff")
    sent_again = Event(seq=2, at=NOW, type=EventType.RESUBMITTED.value, actor="student")
    readings = {"Jane_x_v2.gcode": replace(GCODE, file="Jane_x_v2.gcode")}
    assert chosen_files(of, readings, [chosen, sent_again]) == ["Jane_x_v2.gcode"]
    assert chosen_files(of, readings, [sent_again, chosen]) == ["Jane_x_v2.stl"]


def test_an_unknown_weight_of_one_part_leaves_the_sum_unknown() -> None:
    of = job(
        Status.UPLOADED, record("a.stl", "working"), record("b.stl", "working"), record("a.gcode", slicer=SLICER_FACTS),
        record("b.gcode"),
    )  # fmt: skip
    (draft,) = read(of, "b.gcode", GCODE, SlicerReading("b.gcode", "Cura 5", time_h=Decimal(1)))
    assert draft.patch["estimate"].get("weight_g") is None
    assert draft.patch["estimate"]["time_h"] == "4.5"


@pytest.mark.parametrize("status", [Status.PENDING, Status.READY_TO_PRINT, Status.PRINTING])
@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        ({"weight_g": Decimal("51.2")}, ["it takes 51.2 g, agreed were 42.7 g"]),
        ({"time_h": Decimal("5.1")}, ["it prints 5.5 h, said were 3.5 h"]),
        ({"material": "PETG"}, ["it was sliced for PETG, agreed was PLA"]),
        ({"weight_g": Decimal("43.1"), "time_h": Decimal("3.4"), "material": "pla"}, None),
        ({"weight_g": None}, None),
    ],
)
def test_after_the_approval_the_price_stays_and_a_difference_is_told(
    status: Status, changed: dict[str, Any], sentences: list[str] | None
) -> None:
    of = job(status, record("a.gcode"), **AGREED)
    (draft,) = read(of, "a.gcode", replace(GCODE, **changed))
    assert set(draft.patch) == {"files"}
    assert draft.data.get("differences") == sentences


@pytest.mark.parametrize(
    ("material", "sentences"),
    [("petg, PLA", None), ("PLA", ["it was sliced for PLA, agreed was PLA, PETG"])],
)
def test_materials_are_compared_in_any_order(material: str, sentences: list[str] | None) -> None:
    agreed = job(Status.PENDING, record("a.gcode"), estimate={"material": "PLA, PETG"}, print_files=["a.gcode"])
    (draft,) = read(agreed, "a.gcode", replace(GCODE, material=material))
    assert draft.data.get("differences") == sentences


def event(kind: EventType, seq: int, **data: Any) -> Event:
    return Event(seq=seq, at=NOW, type=kind.value, actor="system", data=data)


def test_a_difference_is_open_until_somebody_decides_or_a_later_file_agrees() -> None:
    agreed = job(Status.PENDING, **AGREED)
    differs = event(EventType.ESTIMATE_READ, 2, name="a.gcode", differences=["it takes 51.2 g, agreed were 42.7 g"])
    assert open_difference(agreed, [differs]) == differs
    for kind in (EventType.PRICE_KEPT, EventType.STAFF_APPROVED, EventType.STATUS_REVERTED):
        assert open_difference(agreed, [differs, event(kind, 3)]) is None
    assert open_difference(agreed, [differs, event(EventType.ESTIMATE_READ, 3, name="a.gcode")]) is None
    assert open_difference(agreed, [differs, event(EventType.ESTIMATE_READ, 3, name="b.gcode")]) == differs
    assert open_difference(job(Status.COMPLETED, **AGREED), [differs]) is None


def test_a_correction_answers_one_of_the_copies_where_it_corrects_them() -> None:
    agreed = job(Status.PENDING, **AGREED)
    differs = event(EventType.DETAILS_EDITED, 2, changed=["copies"], differences=["3 are wanted now"])
    assert open_difference(agreed, [differs, event(EventType.DETAILS_EDITED, 3, changed=["copies"])]) is None
    assert open_difference(agreed, [differs, event(EventType.DETAILS_EDITED, 3, changed=["color"])]) == differs
    assert open_difference(agreed, [differs, event(EventType.DETAILS_EDITED, 3)]) == differs, "it names no fields"
