"""What is otherwise at the lab today, kept in storage for every computer."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from printsys.domain.lab_today import LabToday, Note, color_toggled, toggled
from printsys.errors import StorageFailure
from printsys.jobstore.lab_today import change_lab_today, lab_today, unreadable
from tests.factories import make_store
from tests.refused import modes_bind_root

NOTE = Note(since=datetime(2026, 3, 2, 16, 20, 11, tzinfo=UTC), by="Sam", text="belt")


def test_what_one_computer_notes_another_reads(tmp_path: Path) -> None:
    change_lab_today(make_store(tmp_path), lambda today: today.model_copy(update={"printers_down": {"xl": NOTE}}))
    today = lab_today(make_store(tmp_path))
    assert today.printers_down == {"xl": NOTE} and today.is_down("xl") and not today.is_down("mk4s")


def test_people_can_read_the_file_and_its_times_have_their_zone(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    change_lab_today(store, lambda today: today.model_copy(update={"message": NOTE}))
    document = json.loads(store.layout.lab_today.read_text("utf-8"))
    assert document["message"] == {"since": "2026-03-02T16:20:11Z", "by": "Sam", "text": "belt"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"printers_down": 7}', b"\xff\xfe\x00", b'{"message": {}}'])
def test_a_file_that_nobody_can_read_is_a_day_as_usual(tmp_path: Path, content: bytes) -> None:
    store = make_store(tmp_path)
    store.layout.lab_today.write_bytes(content)
    assert lab_today(store) == LabToday()
    change_lab_today(store, lambda today: today.model_copy(update={"message": NOTE}))
    assert lab_today(store).message == NOTE
    assert unreadable(store.layout.lab_today).read_bytes() == content, "the hand that wrote it may mend it"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_file_that_cannot_be_read_just_now_is_not_written_over(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    change_lab_today(store, lambda today: today.model_copy(update={"message": NOTE}))
    path = store.layout.lab_today
    path.chmod(0)
    with modes_bind_root(), pytest.raises(StorageFailure):
        change_lab_today(store, lambda today: today.model_copy(update={"printers_down": {"xl": NOTE}}))
    path.chmod(0o644)
    assert lab_today(store) == LabToday(message=NOTE)


def test_what_a_newer_version_wrote_is_kept(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.layout.lab_today.write_text('{"exhibition": {"until": "May"}}', "utf-8")
    change_lab_today(store, lambda today: today.model_copy(update={"message": NOTE}))
    assert json.loads(store.layout.lab_today.read_text("utf-8"))["exhibition"] == {"until": "May"}


def test_a_color_that_is_out_is_out_for_its_own_method_until_it_is_back() -> None:
    out = color_toggled(LabToday(), "Filament", "Clear", NOTE)
    assert out.is_out("Filament", "Clear") and not out.is_out("Resin", "Clear")
    assert not color_toggled(out, "Filament", "Clear", None).is_out("Filament", "Clear")
    assert toggled({"a": NOTE}, "b", None) == {"a": NOTE}


def test_closed_days_that_are_over_are_forgotten_and_what_is_no_day_closes_nothing() -> None:
    today = LabToday(closed={"2026-03-02": NOTE, "2026-03-04": NOTE, "someday": NOTE})
    assert today.closed_days == {date(2026, 3, 2), date(2026, 3, 4)}
    assert today.without_old_days(date(2026, 3, 3)).closed.keys() == {"2026-03-04", "someday"}
