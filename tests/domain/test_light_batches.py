"""A log grows with what changes, not with the number of a job's files. (FAULTS R5)"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printsys.domain.changes import FolderSnapshot, FoundFile, compare, drafts_of, news_since
from printsys.domain.events import EventDraft, EventType, build_batch, merge_patch
from printsys.domain.job import Document, Job, canonical, parse

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def job_with(names: list[str]) -> Job:
    files = [
        {"name": name, "role": "slicer", "size": 1, "sha256": name, "added_at": "2026-03-02T00:00:00Z", "source": "x"}
        for name in names
    ]
    at = "2026-03-02T00:00:00Z"
    document: Document = {"schema_version": 1, "id": "k7m29xq4", "revision": 1, "status": "Uploaded", "files": files}
    times = {"status_since": at, "created_at": at, "updated_at": at}
    return parse(document | times | {"student": {"name": "Jane"}, "request": {"method": "Filament"}})


def look(job: Job, names: list[str], sha256: str = "") -> list[EventDraft]:
    found = tuple(FoundFile(name, 1, sha256 + name) for name in names)
    return drafts_of(job, compare(job, "folder", FolderSnapshot("folder", found)), NOW)


def test_files_that_come_in_one_look_are_one_event() -> None:
    (draft,) = look(job_with([]), ["a.gcode", "b.gcode"])
    assert draft.type == EventType.FILES_ADDED
    assert [file["name"] for file in draft.data["files"]] == ["a.gcode", "b.gcode"]
    assert [file["name"] for file in draft.patch["files"]] == ["a.gcode", "b.gcode"]


def test_a_single_file_is_an_event_as_ever() -> None:
    (draft,) = look(job_with([]), ["a.gcode"])
    assert (draft.type, draft.data["name"]) == (EventType.FILE_ADDED, "a.gcode")


NAMES = [f"file {number}.gcode" for number in range(100)]


@pytest.mark.parametrize("after", [[], NAMES, [f"new {name}" for name in NAMES]], ids=["gone", "saved-over", "renamed"])
def test_a_change_of_all_files_writes_their_list_once(after: list[str]) -> None:
    job = job_with(NAMES)
    if after == NAMES:
        drafts = look(job, after, "other bytes of ")
    else:
        found = tuple(FoundFile(name, 1, name.removeprefix("new ")) for name in after)
        drafts = drafts_of(job, compare(job, "folder", FolderSnapshot("folder", found)), NOW)
    assert len(drafts) == 100
    document = job.model_dump(mode="json")
    batch = build_batch(drafts, document, 1, None, NOW)
    assert ["files" in event.patch for event in batch.events] == [False] * 99 + [True]
    whole = document
    for draft in drafts:
        whole = merge_patch(whole, draft.patch)
    assert batch.document["files"] == canonical(whole)["files"]
    assert len(news_since(batch.events, 1)) == 100  # each of them is news to somebody who decides


values = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
patches = st.dictionaries(st.sampled_from(["files", "print_files", "estimate", "notes"]), values, max_size=4)


@given(before=patches, changes=st.lists(patches, min_size=1, max_size=5))
def test_what_is_left_out_changes_nothing(before: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    document = merge_patch({}, before)
    batch = build_batch([EventDraft(EventType.NOTES_EDITED, "staff", {}, p) for p in changes], document, 0, None, NOW)
    whole = document
    for patch in changes:
        whole = merge_patch(whole, patch)
    stamp = {"revision": len(changes), "updated_at": "2026-03-02T00:00:00Z"}
    assert json.dumps(batch.document, sort_keys=True) == json.dumps(canonical(whole | stamp), sort_keys=True)
