"""Merge patches, folding, and the chain: what makes events.jsonl give metadata.json back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from printsys.domain.changes import Conflict, HandEdit, hand_edit
from printsys.domain.events import (
    EventDraft,
    EventType,
    actor_kind,
    build_batch,
    changes_nothing,
    diff,
    fold,
    line_of,
    merge_patch,
    same_json,
    sha256,
)
from printsys.domain.job import Document, canonical, metadata_bytes
from printsys.errors import DamagedJob
from printsys.jobstore.log import read_log

NOW = datetime(2026, 3, 2, 16, 20, 11, 999_999, tzinfo=UTC)

DESIGNED = [
    "JobCreated", "StaffApproved", "JobRejected", "StudentConfirmed", "StudentDeclined", "StaffConfirmed",
    "PrintingStarted", "PrintFailed", "JobCompleted", "PaymentRecorded", "JobPickedUp", "JobReopened", "JobArchived",
    "StatusReverted", "StatusOverridden", "Reviewed", "Unreviewed", "NotesEdited", "DetailsEdited", "FileAdded",
    "FileChanged", "FileRenamed", "FileRemoved", "PrintFileChosen", "ModelInspected", "EstimateRead", "ThumbnailMade",
    "MetadataEdited", "MetadataRestored", "FolderMoved", "FolderRenamed", "EmailQueued", "EmailSent", "EmailFailed",
]  # fmt: skip

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
keys = st.sampled_from(["id", "status", "student", "notes", "files", "name", "zz", "Ä", ""]) | st.text(max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=10
)
documents = st.dictionaries(keys, values, max_size=6)


# -- RFC 7396 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_rfc_7396_appendix_a(target: Any, patch: Any, result: Any) -> None:
    before = json.dumps([target, patch])
    assert merge_patch(target, patch) == result
    assert json.dumps([target, patch]) == before


def text_of(document: dict[str, Any]) -> str:
    """Equality as the file shows it: 1, 1.0 and true are three texts."""
    return json.dumps(canonical(document), sort_keys=True)


@settings(max_examples=40, deadline=None)
@given(old=documents, new=documents)
def test_a_patch_made_of_two_documents_leads_from_one_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert text_of(merge_patch(old, diff(old, new))) == text_of(new)


@given(document=documents, changed=documents)
def test_an_unchanged_document_has_an_empty_patch(document: dict[str, Any], changed: dict[str, Any]) -> None:
    assert diff(document, canonical(document)) == {}
    assert diff(canonical(document), document) == {}
    if text_of(document) != text_of(changed):
        assert diff(document, changed) != {}


@given(document=documents, changed=documents)
def test_whether_a_patch_changes_anything_is_known_without_merging_it(
    document: dict[str, Any], changed: dict[str, Any]
) -> None:
    for patch in (changed, diff(document, changed), diff(changed, document)):
        assert changes_nothing(document, patch) == same_json(merge_patch(document, patch), document)


# -- folding and sealing --------------------------------------------------------------------------------------------

drafts = st.lists(
    st.builds(
        EventDraft,
        type=st.sampled_from(EventType),
        actor=st.sampled_from(["student", "staff:Sam", "system", "filesystem"]),
        data=st.dictionaries(st.text(), scalars, max_size=3),
        patch=documents,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(drafts, min_size=1, max_size=4))
def test_folding_any_patches_gives_the_sealed_document_back_byte_for_byte(batches: list[list[EventDraft]]) -> None:
    log, seq = b"", 0
    document: Document = {}
    last: bytes | None = None
    for batch_drafts in batches:
        batch = build_batch(batch_drafts, document, seq, last, NOW)
        log += batch.lines
        document, seq, last = batch.document, batch.events[-1].seq, batch.lines.rstrip(b"\n").rpartition(b"\n")[2]
        read = read_log(log, "k7m29xq4")
        assert read.tail == b""
        assert read.seq == seq == document["revision"]
        assert read.document() == document
        assert metadata_bytes(fold(read.events)) == batch.metadata == metadata_bytes(document)
        assert read.state == sha256(batch.metadata)
        assert json.loads(batch.metadata) == document


def sealed() -> bytes:
    created = build_batch([EventDraft(EventType.JOB_CREATED, "student", {}, {"id": "k7m29xq4"})], {}, 0, None, NOW)
    notes = [EventDraft(EventType.NOTES_EDITED, "staff", {}, {"notes": n}) for n in ("a", "b")]
    return created.lines + build_batch(notes, created.document, 1, created.lines.rstrip(b"\n"), NOW).lines


def test_lines_are_numbered_dated_and_chained_and_only_the_last_of_a_batch_has_its_state() -> None:
    lines = sealed().splitlines()
    events = [json.loads(line) for line in lines]
    assert [list(event) for event in events] == [
        ["seq", "at", "type", "actor", "data", "patch", "prev", "state"],
        ["seq", "at", "type", "actor", "data", "patch", "prev"],
        ["seq", "at", "type", "actor", "data", "patch", "prev", "state"],
    ]
    assert [event["seq"] for event in events] == [1, 2, 3]
    assert [event["prev"] for event in events] == [None, sha256(lines[0]), sha256(lines[1])]
    assert {event["at"] for event in events} == {"2026-03-02T16:20:11Z"}
    assert events[1]["patch"] == {"notes": "a", "revision": 2, "updated_at": "2026-03-02T16:20:11Z"}


def test_a_line_is_read_and_written_back_as_it_was() -> None:
    for line, event in zip(sealed().splitlines(), read_log(sealed(), "k7m29xq4").events, strict=True):
        assert line_of(event) == line


@given(at=st.integers(0, len(sealed()) - 1), value=st.integers(0, 255))
def test_any_byte_changed_before_the_last_batch_is_noticed(at: int, value: int) -> None:
    log = bytearray(sealed())
    last_batch = sealed().index(b'{"seq":2')
    at %= last_batch
    if log[at] != value:
        log[at] = value
        with pytest.raises(DamagedJob):
            read_log(bytes(log), "k7m29xq4")


@given(length=st.integers(0, len(sealed())))
def test_a_log_cut_anywhere_ends_with_a_whole_batch(length: int) -> None:
    first = sealed().index(b"\n") + 1
    read = read_log(sealed()[:length], "k7m29xq4")
    assert read.length in (0, first, len(sealed()))
    assert read.length <= length
    assert sealed()[:length] == sealed()[: read.length] + read.tail


# -- types and actors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DESIGNED)
def test_every_event_type_of_the_design_exists(name: str) -> None:
    assert EventType(name).value == name


def test_an_actor_may_carry_a_name() -> None:
    assert [actor_kind(actor) for actor in ("student", "staff:Sam", "staff:Sam: the 2nd")] == [
        "student",
        "staff",
        "staff",
    ]


# -- edits by hand --------------------------------------------------------------------------------------------------

BASE = {"revision": 3, "updated_at": "a", "status": "Pending", "notes": "", "student": {"name": "Jane", "email": "j@x"}}


def test_what_only_the_person_changed_is_kept() -> None:
    theirs = BASE | {"notes": "call her", "student": {"name": "Jane Doe", "email": "j@x"}}
    assert hand_edit(BASE, theirs, BASE) == HandEdit({"notes": "call her", "student": {"name": "Jane Doe"}})


def test_what_only_the_system_changed_is_kept() -> None:
    current = BASE | {"revision": 5, "updated_at": "b", "status": "ReadyToPrint"}
    assert hand_edit(BASE, BASE, current) == HandEdit({})


def test_changes_of_different_fields_are_brought_together() -> None:
    current = BASE | {"revision": 5, "updated_at": "b", "student": {"name": "Jane", "email": "jane@example.edu"}}
    theirs = BASE | {"student": {"name": "Jane Doe", "email": "j@x"}, "shelf": "B4"}
    edit = hand_edit(BASE, theirs, current)
    assert isinstance(edit, HandEdit)
    merged = merge_patch(current, edit.patch)
    assert merged["student"] == {"name": "Jane Doe", "email": "jane@example.edu"}
    assert merged["shelf"] == "B4"
    assert (merged["revision"], merged["updated_at"]) == (5, "b")


def test_the_same_change_made_twice_is_no_conflict_and_no_event() -> None:
    both = BASE | {"notes": "paid"}
    assert hand_edit(BASE, both, both | {"revision": 4}) == HandEdit({})


def test_different_changes_of_one_field_are_a_conflict_that_names_it() -> None:
    theirs = BASE | {"notes": "hers", "student": {"name": "A", "email": "j@x"}}
    current = BASE | {"notes": "ours", "student": {"name": "B", "email": "j@x"}}
    assert hand_edit(BASE, theirs, current) == Conflict(("notes", "student.name"))


def test_removing_what_the_system_filled_in_meanwhile_is_a_conflict() -> None:
    base = BASE | {"payment": {"amount": "3.00"}}
    theirs = BASE
    current = base | {"payment": {"amount": "4.27"}}
    assert hand_edit(base, theirs, current) == Conflict(("payment",))


def test_the_revision_is_the_systems_to_count() -> None:
    assert hand_edit(BASE, BASE | {"revision": 99, "updated_at": "z"}, BASE) == HandEdit({})


@settings(max_examples=40, deadline=None)
@given(base=documents, theirs=documents, current=documents)
def test_an_edit_either_clashes_or_keeps_what_each_side_changed(
    base: dict[str, Any], theirs: dict[str, Any], current: dict[str, Any]
) -> None:
    edit = hand_edit(base, theirs, current)
    if isinstance(edit, Conflict):
        assert edit.fields
        return
    merged = merge_patch(current, edit.patch)
    assert text_of(merged) == text_of(merge_patch(merge_patch(base, diff(base, current)), diff(base, theirs)))


@settings(max_examples=40, deadline=None)
@given(base=documents, theirs=documents)
def test_without_changes_of_the_system_an_edit_is_taken_as_it_is(base: dict[str, Any], theirs: dict[str, Any]) -> None:
    edit = hand_edit(base, theirs, base)
    assert isinstance(edit, HandEdit)
    assert text_of(merge_patch(base, edit.patch)) == text_of(theirs)
