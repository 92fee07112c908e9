"""A job as metadata.json has it: the schema, its order of keys, and its exact bytes.

Two views of the same thing: the *document* (plain JSON values, what is written and patched, unknown keys kept)
and the `Job` (typed, read-only, what the rest of the program reads).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from printsys.domain.status import Status

SCHEMA_VERSION = 1

Document = dict[str, Any]
SUPERSEDED = "superseded"
FOR_COPIES, PLATE_COPIES = "for_copies", "plate_copies"
CONVERTED = "converted"
PRINTED_ON = "printed_on"
OWN_MATERIAL, DISCOUNTS = "own_material", "discounts"
PLATES = "plates"
DECLINED, WITHDRAWN = "declined", "withdrawn"
"""Reasons of a rejection that is the student's own."""
MOST_DIGITS = 30
"""For reports, a number with more of them before or behind its point is unknown."""


def format_time(moment: datetime) -> str:
    """UTC, whole seconds, `Z`: `2026-03-02T16:20:11Z`."""
    # strftime would write the year 26 as `26`
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _time(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not value.endswith("Z"):
        raise ValueError("a time is written in UTC, like 2026-03-02T16:20:11Z")
    return datetime.fromisoformat(value)


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone: end it with Z for UTC")
    return value


def _decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        raise ValueError('numbers of this kind are written as text, like "42.7"')
    return value.strip()


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _one_at_least(copies: int) -> int:
    """A hand may write 0."""
    return max(copies, 1)


def plain(number: Decimal) -> str:
    """A decimal without exponent: Decimal("1E+2") → "100"."""
    return format(number, "f")


Time = Annotated[datetime, BeforeValidator(_time), AfterValidator(_aware), PlainSerializer(format_time)]
Amount = Annotated[Decimal, BeforeValidator(_decimal), PlainSerializer(plain)]


class Record(BaseModel):
    """A part of metadata.json. Keys this version does not know are kept: a newer one or a person put them there."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


class Student(Record):
    name: StrictStr
    email: StrictStr | None = None
    discipline: StrictStr | None = None
    class_number: StrictStr | None = None


class Request(Record):
    """What the student wants. Two keys are written only while it is so: `printed_on`, another printer than `printer`,
    and `own_material`, which the student brings."""

    method: StrictStr
    color: StrictStr | None = None
    printer: StrictStr | None = None
    minimum_charge_consent: StrictBool | None = None
    copies: Annotated[StrictInt, AfterValidator(_one_at_least)] = 1
    due_date: StrictStr | None = None
    message: StrictStr | None = None

    @property
    def printed_on(self) -> str | None:
        printer = (self.model_extra or {}).get(PRINTED_ON)
        return printer if isinstance(printer, str) else None

    @property
    def actual_printer(self) -> str | None:
        """The printer that it is printed on; until staff start it on another, the one asked for."""
        return self.printed_on or self.printer

    @property
    def own_material(self) -> Literal[True] | None:
        return True if (self.model_extra or {}).get(OWN_MATERIAL) is True else None


class FileRecord(Record):
    """One file of the job. `name` is relative to the job folder, with forward slashes; `size` is in bytes.

    `source` is `upload`, `staff` or `filesystem`; `uploaded_as` is the name exactly as the student's computer had it.
    """

    name: StrictStr
    role: Literal["original", "working", "slicer", "other"]
    size: StrictInt
    sha256: StrictStr
    added_at: Time
    source: StrictStr
    model: dict[str, Any] | None = None
    slicer: dict[str, Any] | None = None
    uploaded_as: StrictStr | None = None

    @property
    def title(self) -> str:
        """The name that people know it by."""
        return self.uploaded_as or self.name.rpartition("/")[2]

    @property
    def is_superseded(self) -> bool:
        """Of an earlier version of the request. The key is written only where it is true."""
        return (self.model_extra or {}).get(SUPERSEDED) is True

    @property
    def converted_because(self) -> str | None:
        """Of a working copy that we wrote as STL: what is the matter with the sent file. The key is written only where
        there is such a reason."""
        reason = (self.model_extra or {}).get(CONVERTED)
        return reason if isinstance(reason, str) else None


class Part(Record):
    """What one print file (a plate, a part) takes: grams, millilitres, hours as the slicer states them."""

    file: StrictStr
    weight_g: Amount | None = None
    volume_ml: Amount | None = None
    time_h: Amount | None = None


class Discount(BaseModel):
    """What a rule of lab.toml took off a price."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: StrictStr
    amount: Amount


class Estimate(Record):
    """What the whole job takes: grams, millilitres, hours rounded up to the half, and the price in the lab's money.

    Two keys are written only for a job of several copies: `for_copies`, how many of them the figures are for, and
    `plate_copies`, how many the print files hold, where that is another number. `discounts`, what was taken off for the
    `cost`, is written only where there are any.
    """

    material: StrictStr | None = None
    weight_g: Amount | None = None
    volume_ml: Amount | None = None
    time_h: Amount | None = None
    cost: Amount | None = None
    source: StrictStr | None = None
    parts: list[Part] = []

    @property
    def for_copies(self) -> int | None:
        return _count((self.model_extra or {}).get(FOR_COPIES))

    @property
    def plate_copies(self) -> int | None:
        return _count((self.model_extra or {}).get(PLATE_COPIES)) or self.for_copies

    @property
    def discounts(self) -> tuple[Discount, ...]:
        return read_discounts((self.model_extra or {}).get(DISCOUNTS))


def read_discounts(written: object) -> tuple[Discount, ...]:
    """None where a person wrote something else there."""
    try:
        return tuple(Discount.model_validate(values) for values in written) if isinstance(written, list) else ()
    except ValidationError:
        return ()


class Confirmation(Record):
    nonce: StrictStr | None = None
    sent_at: Time | None = None
    expires_at: Time | None = None
    confirmed_at: Time | None = None
    confirmed_by: StrictStr | None = None


class Rejection(Record):
    reasons: list[StrictStr] = []
    comment: StrictStr | None = None
    at: Time | None = None
    by: StrictStr | None = None

    @property
    def is_the_students(self) -> bool:
        """The student declined the price or withdrew the request: there is nothing to mend."""
        return bool({DECLINED, WITHDRAWN}.intersection(self.reasons))


class Payment(Record):
    amount: Amount
    method: StrictStr | None = None
    transaction: StrictStr | None = None
    weight_g: Amount | None = None
    picked_up_by: StrictStr | None = None
    at: Time | None = None
    by: StrictStr | None = None


class Job(Record):
    """metadata.json, typed. `revision` is the `seq` of the last event that it includes."""

    schema_version: StrictInt
    id: StrictStr
    revision: StrictInt
    status: Status
    status_since: Time
    created_at: Time
    updated_at: Time
    student: Student
    request: Request
    files: list[FileRecord] = []
    print_files: list[StrictStr] = []
    estimate: Estimate | None = None
    confirmation: Confirmation | None = None
    rejection: Rejection | None = None
    payment: Payment | None = None
    reviewed_at: Time | None = None
    notes: StrictStr | None = None

    @property
    def is_new(self) -> bool:
        """Nobody has looked at it yet."""
        return self.status is Status.UPLOADED and self.reviewed_at is None

    @property
    def sent_files(self) -> list[FileRecord]:
        """What the student sent, as it is to be printed: without earlier versions."""
        return [record for record in self.current_files if record.role == "original"]

    @property
    def current_files(self) -> list[FileRecord]:
        """The files of the request as it is, without those of earlier versions."""
        return [record for record in self.files if not record.is_superseded]

    def file(self, name: str) -> FileRecord | None:
        return next((record for record in self.files if record.name == name), None)


@cache
def _nested(model: type[Record]) -> dict[str, type[Record] | None]:
    """The fields of `model` in schema order, each with the record type that its value (or its list's items) has."""
    return {name: _record_type(field.annotation) for name, field in model.model_fields.items()}


def _record_type(annotation: Any) -> type[Record] | None:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    if get_origin(annotation) in (Union, UnionType, list, Annotated):
        return next((record for arg in get_args(annotation) if (record := _record_type(arg))), None)
    return None


def canonical(document: Mapping[str, Any], model: type[Record] = Job) -> Document:
    """`document` as it is written: known keys in schema order, absent ones as null, unknown ones after them.

    Unknown keys whose value is null are dropped, since null and absent mean the same.
    """
    fields = _nested(model)
    ordered: Document = {name: _canonical_value(document.get(name), kind) for name, kind in fields.items()}
    ordered.update((name, without_nulls(v)) for name, v in document.items() if name not in fields and v is not None)
    return ordered


def _canonical_value(value: Any, kind: type[Record] | None) -> Any:
    if kind is None:
        return without_nulls(value)
    if isinstance(value, dict):
        return canonical(value, kind)
    if isinstance(value, list):
        return [_canonical_value(item, kind) for item in value]
    return value


def without_nulls(value: Any) -> Any:
    """Null and absent mean the same (RFC 7396), so only one of them is ever written. Lists are left whole."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return value


def metadata_bytes(document: Mapping[str, Any]) -> bytes:
    """metadata.json for people: UTF-8, 2-space indent, stable key order, trailing newline."""
    return text_of(canonical(document))


def text_of(document: Document) -> bytes:
    """`metadata_bytes` of a document that is canonical already."""
    return (json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def parse(document: Mapping[str, Any]) -> Job:
    """The typed view of a document. Raises pydantic's ValidationError naming each wrong field."""
    return Job.model_validate(_present(document))


def _present(value: Any) -> Any:
    """Without nulls at any depth: a field's default stands for an absent value."""
    if isinstance(value, dict):
        return {name: _present(item) for name, item in value.items() if item is not None}
    return [_present(item) for item in value] if isinstance(value, list) else value


def dump(record: Record) -> Document:
    """A record as a document's values: decimals as text, times with Z."""
    return record.model_dump(mode="json")
