"""metadata.json: its exact bytes, what is kept of other people's keys, and which texts are no job."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from printsys.domain.job import Job, Record, canonical, dump, format_time, metadata_bytes, parse, plain
from printsys.domain.status import Status

GOLDEN = """{
  "schema_version": 1,
  "id": "k7m29xq4",
  "revision": 7,
  "status": "Pending",
  "status_since": "2026-03-02T16:20:11Z",
  "created_at": "2026-03-01T09:00:00Z",
  "updated_at": "2026-03-02T16:20:11Z",
  "student": {
    "name": "José Ñandú",
    "email": "jane@example.edu",
    "discipline": "Architecture",
    "class_number": "ARCH 4000"
  },
  "request": {
    "method": "Filament",
    "color": "True Red",
    "printer": "prusa-mk4s",
    "minimum_charge_consent": true,
    "copies": 1,
    "due_date": null,
    "message": ""
  },
  "files": [
    {
      "name": "original/bracket v2.stl",
      "role": "original",
      "size": 684284,
      "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      "added_at": "2026-03-01T09:00:00Z",
      "source": "upload",
      "model": {
        "triangles": 13684
      },
      "slicer": null,
      "uploaded_as": "bracket v2.stl"
    }
  ],
  "print_files": [
    "JoseNandu_Filament_TrueRed_k7m29xq4.3mf"
  ],
  "estimate": {
    "material": "PLA",
    "weight_g": "42.7",
    "volume_ml": null,
    "time_h": "3.5",
    "cost": "4.27",
    "source": "slicer",
    "parts": [
      {
        "file": "JoseNandu_Filament_TrueRed_k7m29xq4.3mf",
        "weight_g": "42.7",
        "volume_ml": null,
        "time_h": "3.4"
      }
    ]
  },
  "confirmation": {
    "nonce": "b2s0",
    "sent_at": "2026-03-02T16:20:11Z",
    "expires_at": "2026-03-09T16:20:11Z",
    "confirmed_at": null,
    "confirmed_by": null
  },
  "rejection": null,
  "payment": null,
  "reviewed_at": null,
  "notes": "",
  "shelf": "B4"
}
"""
"""The example of the design, with a key that this version does not know."""

unknown_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MODELS: list[type[BaseModel]] = [Job, *Record.__subclasses__()]
KNOWN = {name for model in MODELS for name in model.model_fields}
unknown_keys = st.text(min_size=1, max_size=8).filter(lambda key: key not in KNOWN)


def golden() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(GOLDEN)
    return document


def test_the_example_of_the_design_is_written_to_the_byte() -> None:
    assert metadata_bytes(golden()).decode() == GOLDEN


def test_keys_are_written_in_the_order_of_the_schema_whatever_order_they_came_in() -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in sorted(value, reverse=True)}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    assert metadata_bytes(shuffled(golden())).decode() == GOLDEN


def test_null_and_absent_are_the_same() -> None:
    def without_nulls(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_nulls(item) for key, item in value.items() if item is not None}
        return [without_nulls(item) for item in value] if isinstance(value, list) else value

    bare = without_nulls(golden())
    assert "rejection" not in bare
    assert metadata_bytes(bare).decode() == GOLDEN
    assert metadata_bytes(golden() | {"rack": None}).decode() == GOLDEN
    assert parse(bare) == parse(golden())


@given(extra=st.dictionaries(unknown_keys, unknown_values, max_size=4))
def test_unknown_keys_are_kept_at_every_level_in_their_order(extra: dict[str, Any]) -> None:
    document = golden()
    own_keys = json.dumps(document["estimate"]["parts"][0])
    for section in (document, document["student"], document["files"][0], document["estimate"]["parts"][0]):
        section.update(extra)
    written = json.loads(metadata_bytes(document))
    unknown = [key for key, value in extra.items() if value is not None and key not in json.loads(GOLDEN)["files"][0]]
    assert [key for key in written if key in unknown] == unknown
    for section in (written, written["files"][0]):
        for key in unknown:
            assert json.dumps(section[key]) == json.dumps(canonical({"x": extra[key]})["x"])
    assert json.loads(own_keys).keys() <= written["estimate"]["parts"][0].keys()
    assert dump(parse(document))["notes"] == ""


@given(extra=st.dictionaries(unknown_keys, unknown_values, max_size=4))
def test_writing_twice_changes_nothing(extra: dict[str, Any]) -> None:
    document = golden() | extra
    before = copy.deepcopy(document)
    once = canonical(document)
    assert document == before
    assert canonical(once) == once
    assert list(canonical(once)) == list(once)
    assert metadata_bytes(json.loads(metadata_bytes(document))) == metadata_bytes(document)


def test_the_typed_view_has_decimals_times_and_the_status() -> None:
    job = parse(golden())
    assert job.estimate is not None
    assert job.estimate.cost == Decimal("4.27")
    assert job.status is Status.PENDING
    assert job.status_since == datetime(2026, 3, 2, 16, 20, 11, tzinfo=UTC)
    assert job.file("original/bracket v2.stl") is job.files[0]
    assert job.file("nothing") is None


def test_the_typed_view_writes_the_same_bytes() -> None:
    assert metadata_bytes(dump(parse(golden()))).decode() == GOLDEN


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "Shipped"}, "status"),
        ({"status": "pending"}, "status"),
        ({"revision": "7"}, "revision"),
        ({"revision": 7.0}, "revision"),
        ({"revision": True}, "revision"),
        ({"id": 7}, "id"),
        ({"id": None}, "id"),
        ({"status_since": "2026-03-02T16:20:11"}, "status_since"),
        ({"status_since": "2026-03-02T16:20:11+01:00"}, "status_since"),
        ({"status_since": "yesterdayZ"}, "status_since"),
        ({"status_since": 1772468411}, "status_since"),
        ({"student": "Jane"}, "student"),
        ({"student": {"name": 3}}, "student.name"),
        ({"files": {}}, "files"),
        ({"files": [{"name": "a.stl"}]}, "files.0.role"),
        ({"print_files": "a.3mf"}, "print_files"),
        ({"estimate": {"cost": 4.27}}, "estimate.cost"),
        ({"estimate": {"cost": "four"}}, "estimate.cost"),
        ({"estimate": {"cost": "NaN"}}, "estimate.cost"),
        ({"estimate": {"cost": "Infinity"}}, "estimate.cost"),
        ({"payment": {"method": "Card"}}, "payment.amount"),
        ({"notes": ["a"]}, "notes"),
        ({"request": {"method": "Filament", "copies": "2"}}, "request.copies"),
    ],
)
def test_a_wrong_type_is_refused_with_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        parse(golden() | change)
    assert ".".join(str(part) for part in refused.value.errors()[0]["loc"]) == field


def test_times_are_written_in_utc_to_the_second() -> None:
    chicago = timezone(timedelta(hours=-6))
    assert format_time(datetime(2026, 3, 2, 10, 20, 11, 987_654, tzinfo=chicago)) == "2026-03-02T16:20:11Z"


@given(moment=st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))
def test_a_written_time_is_read_back(moment: datetime) -> None:
    written = format_time(moment)
    assert parse(golden() | {"updated_at": written}).updated_at == moment.replace(microsecond=0)


@given(number=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=3))
def test_amounts_are_written_without_an_exponent_and_read_back(number: Decimal) -> None:
    written = plain(number.normalize())
    assert "E" not in written
    estimate = parse(golden() | {"estimate": {"weight_g": written}}).estimate
    assert estimate is not None and estimate.weight_g == number
