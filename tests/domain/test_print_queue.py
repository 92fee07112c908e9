"""Which job is next on which printer, and when it should be done."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from printsys.domain.opening_hours import OpeningHours
from printsys.domain.print_queue import (
    MOST_HOURS,
    Column,
    QueuedJob,
    busyness,
    column,
    columns,
    days_until,
    due_day,
)
from printsys.domain.status import Status

CHICAGO = ZoneInfo("America/Chicago")
HOURS = OpeningHours(CHICAGO, {weekday: (time(9), time(17)) for weekday in range(5)})
MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=CHICAGO)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A day of March 2026; the 2nd is a Monday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=CHICAGO)


def queued(
    job_id: str,
    hours: str | None = "2",
    color: str = "True Red",
    due: int | None = None,
    since: int = 8,
    status: Status = Status.READY_TO_PRINT,
    printer: str = "mk4s",
) -> QueuedJob:
    amount = Decimal(hours) if hours else None
    due_date = date(2026, 3, due) if due else None
    return QueuedJob(job_id, status, at(2, since), "Filament", printer, "PLA", color, amount, due_date)


def ids(filled: Column) -> list[str]:
    return [slot.job.id for slot in filled.slots]


def test_what_is_ready_is_grouped_by_filament_and_starts_with_what_is_loaded() -> None:
    jobs = [
        queued("red1", since=6), queued("blue1", color="Blue", since=7), queued("red2", since=8),
        queued("on", color="Blue", status=Status.PRINTING, since=11), queued("blue2", color="Blue", since=9),
    ]  # fmt: skip
    filled = column("mk4s", jobs, HOURS, MONDAY_NOON)
    assert ids(filled) == ["blue1", "blue2", "red1", "red2"]
    assert [slot.needs_change for slot in filled.slots] == [False, False, True, False]
    assert [slot.hours for slot in filled.slots] == [2, 4, 6, 8]


def test_what_is_due_first_goes_first_and_takes_its_filament_along() -> None:
    jobs = [queued("old", since=5), queued("due", color="Blue", due=4), queued("blue", color="Blue", since=6)]
    assert ids(column("mk4s", jobs, HOURS, MONDAY_NOON)) == ["due", "blue", "old"]


def test_staffs_own_order_comes_first_whatever_else_there_is() -> None:
    jobs = [queued("a", since=5), queued("b", due=3), queued("c", color="Blue")]
    assert ids(column("mk4s", jobs, HOURS, MONDAY_NOON, ["c", "gone", "a"])) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("hours", "ends", "fits"),
    [("5", at(2, 17), "today"), ("5.5", at(2, 17, 30), "overnight"), ("21", at(3, 9), "overnight"),
     ("21.5", at(3, 9, 30), "later"), (None, at(2, 16), "unknown")],
)  # fmt: skip
def test_a_job_fits_before_closing_or_overnight(hours: str | None, ends: datetime, fits: str) -> None:
    (slot,) = column("mk4s", [queued("a", hours)], HOURS, MONDAY_NOON).slots
    assert (slot.starts, slot.ends, slot.fits) == (MONDAY_NOON, ends, fits)


def test_what_starts_on_a_later_day_fits_neither_before_closing_nor_overnight() -> None:
    jobs = [queued("a", "6"), queued("b", "2"), queued("c", "12")]
    slots = column("mk4s", jobs, HOURS, at(2, 16), ["a", "b", "c"]).slots
    assert [slot.starts for slot in slots] == [at(2, 16), at(3, 9), at(3, 11)]
    assert [slot.fits for slot in slots] == ["overnight", "later", "later"]
    (slot,) = column("mk4s", [queued("a", "2")], HOURS, at(2, 8)).slots
    assert (slot.starts, slot.fits) == (at(2, 9), "today"), "before the lab opens"


def test_a_print_runs_through_the_night_but_nobody_starts_one_then() -> None:
    first, second = column("mk4s", [queued("a", "10"), queued("b", "1")], HOURS, MONDAY_NOON).slots
    assert first.ends == at(2, 22) and second.starts == at(3, 9)


def test_over_the_weekend_and_on_a_closed_day_nothing_starts() -> None:
    closed = OpeningHours(CHICAGO, HOURS.by_weekday, frozenset({date(2026, 3, 9)}))
    first, second = column("mk4s", [queued("a", "6"), queued("b", "1")], closed, at(6, 12)).slots
    assert first.ends == at(6, 18) and second.starts == at(10, 9)


def test_a_job_waits_until_the_last_print_on_its_printer_should_be_done() -> None:
    jobs = [queued("on", "3", status=Status.PRINTING, since=11), queued("other", printer="xl"), queued("next")]
    filled = column("mk4s", jobs, HOURS, MONDAY_NOON)
    assert [job.id for job in filled.printing] == ["on"] and filled.printing[0].done_at == at(2, 14)
    assert [slot.starts for slot in filled.slots] == [at(2, 14)]


def test_on_a_printer_that_is_down_nobody_knows_when() -> None:
    filled = column("mk4s", [queued("a")], HOURS, MONDAY_NOON, is_down=True)
    assert filled.slots[0].starts is None and filled.free_at is None and filled.slots[0].hours == 2


def test_every_printer_has_a_column_and_a_job_for_none_of_them_is_not_lost() -> None:
    filled = columns([queued("a"), queued("b", printer="sold")], ["mk4s", "xl"], HOURS, MONDAY_NOON, {}, {"xl"})
    assert [(each.printer, ids(each)) for each in filled] == [("mk4s", ["a"]), ("xl", []), ("", ["b"])]


def test_the_days_until_a_new_job_is_done_are_those_of_the_first_free_printer() -> None:
    assert days_until([MONDAY_NOON, at(9, 9)], MONDAY_NOON, HOURS) == 1
    assert days_until([at(6, 18), None], MONDAY_NOON, HOURS) == 8, "Friday evening: it starts on Monday"
    assert days_until([None], MONDAY_NOON, HOURS) is None
    assert days_until([MONDAY_NOON], MONDAY_NOON, OpeningHours(CHICAGO, {})) is None
    assert [busyness(days) for days in (1, 2, 3, 5, 6)] == ["quiet", "quiet", "typical", "typical", "busy"]


def test_a_due_date_that_is_none_is_none() -> None:
    assert [due_day(text) for text in ("2026-03-31", "soon", "", None)] == [date(2026, 3, 31), None, None, None]


@pytest.mark.parametrize(("written", "counted"), [("99999999", MOST_HOURS), ("1e400", MOST_HOURS), ("-3", Decimal(0))])
def test_hours_that_a_hand_wrote_stop_no_queue(written: str, counted: Decimal) -> None:
    jobs = [queued("first", hours=written, since=6), queued("second", since=7)]
    filled = column("mk4s", jobs, HOURS, MONDAY_NOON)
    assert [slot.hours for slot in filled.slots] == [counted, counted + 2]
    assert queued("on", hours=written, status=Status.PRINTING).done_at == at(2, 8) + timedelta(hours=float(counted))


def test_a_thousand_such_jobs_have_no_day_that_could_be_named() -> None:
    jobs = [queued(str(number), hours="99999999") for number in range(1000)]
    (filled,) = columns(jobs, ["mk4s"], HOURS, MONDAY_NOON, {})
    assert [slot.starts is None for slot in filled.slots] == [False] + [True] * 999 and filled.free_at is None
