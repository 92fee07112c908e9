"""lab.toml: what the lab is and offers, checked as a whole at start. All mistakes at once, each with its line."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from printsys.config.toml_lines import Where, line_of
from printsys.domain import pricing
from printsys.domain.pricing import PriceList
from printsys.domain.reminders import Patience
from printsys.errors import ConfigError


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Material(Strict):
    """`density_g_cm3`: grams per cubic centimetre."""

    name: str
    density_g_cm3: Annotated[Decimal, Field(gt=0, lt=25)] = Field(alias="density")


class Method(Strict):
    """`solid`: printed without infill, as resin is."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    description: str
    colors: Annotated[list[str], Field(min_length=1)]
    materials: Annotated[list[Material], Field(min_length=1)]
    solid: bool = False


class Printer(Strict):
    """`build_volume_mm`: width, depth, height in millimetres."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    name: str
    method: str
    build_volume_mm: Annotated[tuple[int, int, int], Field(alias="build_volume")]

    @property
    def volume_text(self) -> str:
        return " × ".join(str(side) for side in self.build_volume_mm) + " mm"


class Reason(Strict):
    """`label` is what staff tick, `text` what the student reads."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    label: str
    text: str


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error
    return name


class LabTable(Strict):
    name: str
    contact_email: str
    phone: str = ""
    place: str
    hours: str
    bring: str = ""
    timezone: Annotated[str, AfterValidator(_zone)] = "America/Chicago"
    staff: list[str] = []


class SubmissionTable(Strict):
    introduction: str
    disciplines: Annotated[list[str], Field(min_length=1)]
    extensions: list[Literal[".stl", ".obj", ".3mf"]] = [".stl", ".obj", ".3mf"]
    max_files: Annotated[int, Field(ge=1, le=50)] = 5
    max_file_mb: Annotated[int, Field(ge=1, le=2000)] = 50
    max_copies: Annotated[int, Field(ge=1, le=1000)] = 20
    consent_question: str
    consent_refused: str


class Days(Strict):
    days: Annotated[int, Field(ge=1, le=3650)]


class ValidDays(Strict):
    valid_days: Annotated[int, Field(ge=1, le=365)]


class ReminderTable(Strict):
    """Days after which a student is reminded: of the price to confirm, of the print to collect. 0: never."""

    confirm_after_days: Annotated[int, Field(ge=0, le=365)] = 3
    collect_after_days: Annotated[int, Field(ge=0, le=365)] = 14


class MailTable(Strict):
    """`templates`: the folder of the lab's own e-mail templates, from where lab.toml is. It need not be there."""

    templates: Annotated[str, Field(min_length=1)] = "mail-templates"


class PaymentTable(Strict):
    methods: Annotated[list[str], Field(min_length=1)]


class LabFile(Strict):
    """lab.toml as it is written."""

    lab: LabTable
    submission: SubmissionTable
    confirmation: ValidDays
    retention: Days
    payment: PaymentTable
    reminders: ReminderTable = ReminderTable()
    mail: MailTable = MailTable()
    methods: Annotated[list[Method], Field(min_length=1)]
    printers: Annotated[list[Printer], Field(min_length=1)]
    prices: Annotated[list[PriceList], Field(min_length=1)]
    rejection_reasons: list[Reason] = []


class Lab:
    """What the lab is and offers: lab.toml, checked, with the look-ups that the program needs."""

    def __init__(self, file: LabFile, folder: Path) -> None:
        """`folder`: where lab.toml is."""
        facts, submission = file.lab, file.submission
        self.name, self.contact_email, self.phone = facts.name, facts.contact_email, facts.phone
        self.place, self.hours, self.bring = facts.place, facts.hours, facts.bring
        self.timezone, self.staff = facts.timezone, facts.staff
        self.introduction = submission.introduction.removeprefix("\n")
        self.disciplines = submission.disciplines
        self.extensions: list[str] = list(submission.extensions)
        self.max_files, self.max_file_mb = submission.max_files, submission.max_file_mb
        self.max_copies = submission.max_copies
        self.consent_question, self.consent_refused = submission.consent_question, submission.consent_refused
        self.confirmation_days, self.retention_days = file.confirmation.valid_days, file.retention.days
        self.patience = Patience(_days(file.reminders.confirm_after_days), _days(file.reminders.collect_after_days))
        self.mail_templates = folder / file.mail.templates
        self.payment_methods = file.payment.methods
        self.methods, self.printers, self.prices = file.methods, file.printers, file.prices
        self.rejection_reasons = file.rejection_reasons

    def method(self, name: str) -> Method | None:
        return next((method for method in self.methods if method.name == name), None)

    def printer(self, printer_id: str | None) -> Printer | None:
        return next((printer for printer in self.printers if printer.id == printer_id), None)

    def printers_for(self, method: str) -> list[Printer]:
        return [printer for printer in self.printers if printer.method == method]

    def reason(self, reason_id: str) -> Reason | None:
        return next((reason for reason in self.rejection_reasons if reason.id == reason_id), None)

    def price_list_on(self, day: date) -> PriceList:
        return pricing.price_list_on(day, self.prices)

    @property
    def max_file_bytes(self) -> int:
        return self.max_file_mb * 1024 * 1024


def load_lab(path: Path) -> Lab:
    """lab.toml at `path`. ConfigError with every mistake and its line."""
    try:
        text = path.read_text("utf-8-sig")
        values = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise ConfigError([f"{path.name} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path.name} is not UTF-8 text (at byte {error.start})"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_mistake(path.name, text, str(error))]) from error
    mistakes = list(_contradictions(values))
    try:
        file = LabFile.model_validate(values)
    except ValidationError as error:
        mistakes += [(problem["loc"], _lab_mistake(problem)) for problem in error.errors()]
    if mistakes:
        placed = sorted((line_of(text, where), what) for where, what in mistakes)
        raise ConfigError([f"{path.name} line {line}: {what}" for line, what in placed])
    return Lab(file, path.absolute().parent)


def _days(days: int) -> timedelta | None:
    return timedelta(days=days) if days else None


def _syntax_mistake(name: str, text: str, said: str) -> str:
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", said)
    if found is None:
        return f"{name}: {said}"
    line = found.group(1) or len(text.rstrip().splitlines())
    return f"{name} line {line}: this is not TOML: {said[: found.start()]}"


def _lab_mistake(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{where}: {said(problem)}"
    known = _keys_at(LabFile, problem["loc"][:-1])
    near = difflib.get_close_matches(str(problem["loc"][-1]), known, 1)
    return f"there is no {where} here" + (f"; did you mean {near[0]}?" if near else "")


def said(problem: Any) -> str:
    """pydantic's sentence; where a check of ours raised it, just what that said."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that lab.toml may have at `path`."""
    for part in path:
        if isinstance(part, int):
            continue
        found = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        nested = _model_in(found.annotation) if found else None
        if nested is None:
            return []
        model = nested
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in getattr(annotation, "__args__", ()) if (m := _model_in(a))), None)


def _contradictions(values: Mapping[str, Any]) -> Iterator[tuple[Where, str]]:
    """What each field allows by itself but the file as a whole does not. What is no table is told of elsewhere."""
    tables = {name: _tables(values, name) for name in ("methods", "printers", "prices", "rejection_reasons")}
    methods = [method["name"] for method in tables["methods"].values() if isinstance(method.get("name"), str)]
    printed = [printer.get("method") for printer in tables["printers"].values()]
    yield from _too_late(values)
    yield from _doubled("methods", "name", tables["methods"])
    yield from _doubled("printers", "id", tables["printers"])
    yield from _doubled("rejection_reasons", "id", tables["rejection_reasons"])
    yield from _doubled("prices", "valid_from", tables["prices"])
    for n, printer in tables["printers"].items():
        if "method" in printer and printer["method"] not in methods:
            yield ("printers", n, "method"), f"printer {printer.get('id')}: there is no method {printer['method']}"
    for n, method in tables["methods"].items():
        if "name" in method and method["name"] not in printed:
            yield ("methods", n, "name"), f"no printer prints {method['name']}"
    for n, prices in tables["prices"].items():
        if isinstance(rates := prices.get("rates"), dict):
            for missing in [method for method in methods if method not in rates]:
                yield ("prices", n, "rates"), f"the prices from {prices.get('valid_from')} have none for {missing}"
            for unknown in [name for name in rates if name not in methods]:
                yield ("prices", n, "rates", unknown), f"there is a price for {unknown}, but no such method"


def _too_late(values: Mapping[str, Any]) -> Iterator[tuple[Where, str]]:
    """A reminder that would come when there is nothing to confirm any more."""
    reminders, confirmation = values.get("reminders"), values.get("confirmation")
    if isinstance(reminders, dict) and isinstance(confirmation, dict):
        after, valid = reminders.get("confirm_after_days"), confirmation.get("valid_days")
        if isinstance(after, int) and isinstance(valid, int) and after >= valid:
            sentence = f"a link is valid for {valid} days, so a reminder after {after} days comes too late"
            yield ("reminders", "confirm_after_days"), sentence


def _tables(values: Mapping[str, Any], name: str) -> dict[int, dict[str, Any]]:
    found = values.get(name)
    return {n: one for n, one in enumerate(found) if isinstance(one, dict)} if isinstance(found, list) else {}


def _doubled(table: str, key: str, rows: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[Where, str]]:
    names: list[Any] = []
    for n, row in rows.items():
        if row.get(key) is not None and row[key] in names:
            yield (table, n, key), f"{row[key]} is there twice in {table}"
        names.append(row.get(key))
