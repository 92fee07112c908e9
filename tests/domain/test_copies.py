"""Copies and plates (FAULTS section 3, copies and plates): what a print file holds of a job of several copies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from printsys.domain.copies import factors, multiplied, remarks
from printsys.domain.effects import Context, approve
from printsys.domain.estimates import SlicerReading, differences, prefill
from printsys.domain.events import Event
from printsys.domain.folder_moves import drag
from printsys.domain.inputs import ApproveInput
from printsys.domain.job import Document, Job, parse
from printsys.domain.status import Status
from tests.factories import PRICES

MODEL = "Jane_Filament_TrueRed_k7m29xq4"


def working(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name, "role": "working", "size": 9, "sha256": name, "added_at": "2026-03-02T16:20:11Z",
        "source": "upload",
    } | fields  # fmt: skip


def job(copies: int, *names: str, **fields: Any) -> Job:
    return parse(
        {
            "schema_version": 1, "id": "k7m29xq4", "revision": 3, "status": "Uploaded",
            "status_since": "2026-03-02T16:20:11Z", "created_at": "2026-03-02T16:20:11Z",
            "updated_at": "2026-03-02T16:20:11Z", "student": {"name": "Jane Doe"},
            "request": {"method": "Filament", "copies": copies},
            "files": [working(name) for name in names or (f"{MODEL}.stl",)] + [working("a.gcode", role="slicer")],
        } | fields
    )  # fmt: skip


def klipper(number: int, model: str = MODEL) -> list[str]:
    return [f"{model}.stl_id_0_copy_{n}" for n in range(number)]


def factor_of(of: Job, names: Sequence[str]) -> Fraction | None:
    known = factors(of, {"a.gcode": names})
    return known["a.gcode"] if known is not None else None


@pytest.mark.parametrize(("held", "factor"), [(6, 1), (1, 6), (2, 3), (4, Fraction(3, 2)), (0, None), (7, None)])
def test_a_plate_counts_as_often_as_its_copies_are_fewer(held: int, factor: Fraction | None) -> None:
    assert factor_of(job(6), klipper(held)) == factor


@pytest.mark.parametrize(
    ("names", "factor"),
    [
        (["part.stl_1", "part.stl_2", "part.stl_3"], 2),
        (["part", "part (Instance 2)"], 3),
        (["part.stl id:0 copy 0"], 6),
        (["object 171", "object 193"], 3),
        (["body", "lid"], None),
        ([f"{MODEL}.stl", "somebody else's"], None),
    ],
)
def test_an_object_of_another_name_is_the_model_only_where_there_is_no_doubt(
    names: list[str], factor: int | None
) -> None:
    assert factor_of(job(6), names) == factor


def test_a_job_of_one_copy_is_never_multiplied() -> None:
    assert factor_of(job(1), klipper(3)) == 1
    assert factor_of(job(1), []) == 1


def test_each_of_several_models_is_counted_by_itself() -> None:
    of = job(6, f"{MODEL}.stl", f"{MODEL}_2.stl")
    second = f"{MODEL}_2"
    assert factors(of, {"a": klipper(6), "b": klipper(1, second)}) == {"a": Fraction(1), "b": Fraction(6)}
    assert factors(of, {"a": klipper(4), "b": klipper(2), "c": klipper(6, second)}) == dict.fromkeys("abc", Fraction(1))
    assert factors(of, {"a": klipper(6)}) is None, "the second model is on no plate"
    assert factors(of, {"a": [*klipper(2), *klipper(1, second)]}) is None, "one plate, two answers"


def test_a_3mf_of_several_objects_is_one_copy_with_all_of_them() -> None:
    three_objects = {"model": {"pieces": 3}}
    of = job(2, files=[working(f"{MODEL}.3mf", **three_objects)])
    names = [f"{MODEL}.3mf_id_{n}_copy_0" for n in range(6)]
    assert [factor_of(of, names[:n]) for n in (3, 6, 4)] == [2, 1, None]


def reading(objects: Sequence[str]) -> SlicerReading:
    return SlicerReading(
        "a.gcode", "PrusaSlicer", Decimal("7.04"), time_h=Decimal("1.2"), material="PLA", objects=(*objects,)
    )


def estimate_of(of: Job, objects: Sequence[str]) -> Any:
    return prefill(of, {"a.gcode": reading(objects)}, ())["estimate"]


def test_the_approval_begins_with_the_figures_of_all_copies_or_with_none() -> None:
    counted = estimate_of(job(6), klipper(1))
    assert (counted["weight_g"], counted["time_h"], counted["for_copies"]) == ("42.24", "7.5", 6)
    assert counted["parts"][0]["weight_g"] == "42.24", "the totals are the sums of the parts"
    unknown = estimate_of(job(6), [])
    assert (unknown["weight_g"], unknown["time_h"], unknown.get("for_copies")) == (None, None, None)
    assert unknown["parts"][0]["weight_g"] == "7.04"
    assert "for_copies" not in estimate_of(job(1), [])


def dragged(of: Job) -> list[str]:
    context = Context(datetime(2026, 3, 2, tzinfo=UTC), PRICES, 7, "nonce")
    return [draft.type for draft in drag(of, Status.PENDING, context)]


def test_a_folder_dragged_to_pending_is_approved_only_where_its_copies_are_counted() -> None:
    for objects, event in ((klipper(1), "StaffApproved"), ([], "FolderMoved")):
        of = job(6, estimate=estimate_of(job(6), objects), print_files=["a.gcode"])
        assert dragged(of)[0] == event
    for_one = estimate_of(job(1), [])
    assert dragged(job(1, estimate=for_one, print_files=["a.gcode"]))[0] == "StaffApproved"
    assert dragged(job(6, estimate=for_one, print_files=["a.gcode"]))[0] == "FolderMoved", "six are wanted since"


def test_a_plate_of_one_does_not_differ_from_what_six_were_agreed_at() -> None:
    agreed = {"weight_g": "42.24", "time_h": "7.5", "material": "PLA", "cost": "4.22", "for_copies": 6}
    assert differences(job(6, estimate=agreed), reading(klipper(1))) == []
    assert differences(job(6, estimate=agreed | {"plate_copies": 1}), reading([])) == []
    assert "it takes 7.04 g, agreed were 42.24 g" in differences(job(6, estimate=agreed), reading(klipper(6)))


PLATES = ["a.gcode", "b.gcode"]


def two_plates(copies: int, **objects: Sequence[str]) -> Job:
    """Both hold the same model: 7.04 g and 1.2 h each."""
    readings = {
        name: SlicerReading(
            name, "PrusaSlicer", Decimal("7.04"), None, Decimal("1.2"), "PLA", objects=(*objects.get(name[0], ()),)
        )
        for name in PLATES
    }
    files = [working(f"{MODEL}.stl"), *(working(name, role="slicer") for name in PLATES)]
    by_hand = job(copies, files=files, print_files=PLATES)
    estimate = prefill(by_hand, readings, [CHOSEN])["estimate"]
    return job(copies, files=files, print_files=PLATES, estimate=estimate)


CHOSEN = Event(seq=1, at=datetime(2026, 3, 2, tzinfo=UTC), type="PrintFileChosen", actor="staff")


def approved(of: Job, for_copies: int | None, weight_g: str, time_h: str = "1.2", *names: str) -> Document:
    """The estimate that an approval records."""
    typed = ApproveInput(
        print_file=[*names] or PLATES,
        weight_g=Decimal(weight_g),
        time_h=Decimal(time_h),
        material="PLA",
        for_copies=for_copies,
    )
    context = Context(datetime(2026, 3, 2, tzinfo=UTC), PRICES, 7, "nonce")
    estimate: Document = approve(of, typed, "staff", context).patch["estimate"]
    return estimate


def weights(estimate: Document) -> list[str]:
    return [part["weight_g"] for part in estimate["parts"]]


def test_parts_that_were_read_for_all_copies_are_not_multiplied_again() -> None:
    of = two_plates(6, a=klipper(1), b=klipper(2))
    assert weights(approved(of, None, "28.16")) == ["14.08", "14.08"], "three are on the plates, six are wanted"
    assert weights(approved(of, 3, "14.08")) == ["14.08", "14.08"], "staff typed what the plates weigh"


@pytest.mark.parametrize("written", [0, -3])
def test_copies_that_a_hand_wrote_below_one_count_as_one(written: int) -> None:
    estimate = approved(job(written), None, "42.7")
    assert (estimate["weight_g"], estimate["cost"], estimate.get("for_copies")) == ("42.7", "4.27", None)


def test_parts_of_unlisted_plates_count_as_often_as_what_staff_typed() -> None:
    of = two_plates(6)
    assert weights(approved(of, 2, "14.08")) == ["21.12", "21.12"]
    assert weights(approved(of, 6, "14.08")) == ["7.04", "7.04"]


def test_parts_of_an_approval_for_other_copies_follow_the_copies() -> None:
    first = approved(two_plates(6), 2, "14.08")
    twelve = job(12, print_files=PLATES, estimate=first)
    assert weights(approved(twelve, 12, "84.48", "14.4")) == ["42.24", "42.24"]
    assert weights(approved(twelve, 2, "14.08")) == ["42.24", "42.24"]


def test_an_approval_that_is_repeated_still_knows_what_the_plate_holds() -> None:
    of = job(6, print_files=["a.gcode"])
    first = approved(of, 1, "7.04", "1.2", "a.gcode")
    assert (first["weight_g"], first["time_h"], first["plate_copies"]) == ("42.24", "7.5", 1)
    undone = job(6, print_files=["a.gcode"], estimate=first)
    for answer in (6, None):
        again = approved(undone, answer, "42.24", "7.5", "a.gcode")
        assert (again["for_copies"], again["plate_copies"]) == (6, 1)
        assert differences(job(6, estimate=again), reading([])) == []
    assert dragged(job(6, print_files=["a.gcode"], estimate=first))[0] == "StaffApproved"
    for figures in (("40", "7.5", "a.gcode"), ("42.24", "7", "a.gcode"), ("42.24", "7.5", "b.gcode")):
        assert approved(undone, 6, *figures)["plate_copies"] is None, "other figures, or of another file"


def test_what_a_plate_lists_is_known_after_the_approval_of_it() -> None:
    of = job(6, print_files=["a.gcode"], estimate=estimate_of(job(6), klipper(1)))
    estimate = approved(of, 6, "42.24", "7.5", "a.gcode")
    assert estimate["plate_copies"] == 1
    assert differences(job(6, estimate=estimate), reading([])) == [], "sliced again by a program that lists nothing"


def test_what_the_plates_hold_is_said() -> None:
    assert remarks(job(6), {"a.gcode": klipper(6)}) == []
    assert remarks(job(6), {"a.gcode": klipper(1)}) == [
        "a.gcode lists 1 of the 6 copies: what it states is counted 6 times."
    ]
    assert remarks(job(6), {"a.gcode": klipper(4)})[0].endswith("counted 1.50 times.")
    (surplus,) = remarks(job(1), {"a.gcode": klipper(2)})
    assert surplus == "a.gcode lists 2 copies of the model, asked for was one copy: please check."
    assert remarks(job(6), {"a.gcode": []}) == []


def test_a_figure_is_multiplied_to_three_digits() -> None:
    assert multiplied(Decimal("7.1234"), Fraction(6, 4)) == Decimal("10.685")
    assert multiplied(Decimal("7.1234"), Fraction(1)) == Decimal("7.1234")
    assert multiplied(None, Fraction(6)) is None
