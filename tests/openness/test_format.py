"""docs/format.md says how it is: its schema is the code's, and its example is a job."""

from __future__ import annotations

import re
from pathlib import Path

from printsys.domain.events import sha256
from printsys.domain.job import Job, Record, metadata_bytes
from printsys.domain.job import _nested as nested_records
from printsys.domain.status import Status
from printsys.jobstore.log import read_log
from tests.openness.reader import verify
from tests.source import ROOT

PAGE = (ROOT / "docs" / "format.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
MODEL, EVENTS, METADATA = (block.encode() for block in BLOCKS[-3:])


def shapes(model: type[Record], name: str) -> dict[str, str]:
    """Of `model` and all inside it: the name of each, and its keys as the page writes them."""
    fields = model.model_fields.items()
    keys = {name: " ".join(f"{key}!" if field.is_required() else key for key, field in fields)}
    for key, inner in nested_records(model).items():
        is_list = str(model.model_fields[key].annotation).startswith("list")
        keys |= shapes(inner, f"{key}[]" if is_list else key) if inner else {}
    return keys


def test_the_schema_on_the_page_is_the_codes() -> None:
    schema = PAGE.partition("<!-- the schema")[2].partition("```\n")[2].partition("```")[0]
    lines = (line.partition(" ") for line in schema.splitlines())
    assert {name: keys.strip() for name, _, keys in lines} == shapes(Job, "job")


def test_the_statuses_on_the_page_are_the_codes() -> None:
    assert ", ".join(Status) in PAGE


def test_the_example_is_a_job_byte_for_byte(tmp_path: Path) -> None:
    (name,) = re.findall(r"in the folder `(\w+)`", PAGE)
    folder = tmp_path / "storage" / "Uploaded" / name
    (folder / "original").mkdir(parents=True)
    for file in (folder / "original" / "bracket v2.stl", folder / f"{name}.stl"):
        file.write_bytes(MODEL)
    (folder / "events.jsonl").write_bytes(EVENTS)
    (folder / "metadata.json").write_bytes(METADATA)
    verdict = verify(tmp_path / "storage")
    assert (verdict.report["jobs"], verdict.report["files"]) == (1, 2)
    assert (verdict.report["findings"], verdict.report["remarks"]) == ([], [])


def test_the_example_is_what_the_program_writes() -> None:
    log = read_log(EVENTS, "3z348qyv")
    assert [event.type for event in log.events] == ["JobCreated", "EmailQueued", "NotesEdited"]
    assert metadata_bytes(log.document()) == METADATA
    assert log.state == sha256(METADATA)
