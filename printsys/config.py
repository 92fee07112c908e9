"""What the system is told from outside: settings (.env, environment) and lab.toml. Both fail loudly at start.

Everything is checked before anything runs, and all mistakes are reported at once, each with where it is.
"""

from __future__ import annotations

import difflib
import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from printsys.domain import pricing
from printsys.domain.pricing import PriceList
from printsys.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_BASE_URL = "http://127.0.0.1:5000"


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# -- settings -------------------------------------------------------------------------------------------------------


class MailServer(Strict):
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    use_tls: bool = True
    username: str | None = None
    password: str | None = Field(default=None, repr=False)
    sender: str | None = None


class Settings(Strict):
    """This machine's settings. Paths are absolute. Secrets do not show in its `repr`."""

    storage: Path
    instance: Path
    lab_config: Path
    database_url: str | None = Field(default=None, repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    secret_key: str = Field(repr=False, min_length=16)
    submit_limit: Annotated[int, Field(ge=0)] = 200
    staff_password: str | None = Field(default=None, repr=False, min_length=8)
    staff_password_hash: str | None = Field(default=None, repr=False)
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")] = DEFAULT_BASE_URL
    watch_mode: Literal["auto", "native", "polling"] = "auto"
    drag_grace_s: Annotated[int, Field(ge=0, le=86_400)] = 60
    mail: MailServer | None = None


VARIABLES = {
    "PRINTSYS_STORAGE": "storage",
    "PRINTSYS_INSTANCE": "instance",
    "LAB_CONFIG": "lab_config",
    "DATABASE_URL": "database_url",
    "REDIS_URL": "redis_url",
    "SECRET_KEY": "secret_key",
    "SUBMIT_LIMIT": "submit_limit",
    "STAFF_PASSWORD": "staff_password",
    "STAFF_PASSWORD_HASH": "staff_password_hash",
    "BASE_URL": "base_url",
    "WATCH_MODE": "watch_mode",
    "DRAG_GRACE_S": "drag_grace_s",
}
MAIL_VARIABLES = {
    "MAIL_SERVER": "host",
    "MAIL_PORT": "port",
    "MAIL_USE_TLS": "use_tls",
    "MAIL_USERNAME": "username",
    "MAIL_PASSWORD": "password",
    "MAIL_DEFAULT_SENDER": "sender",
}
_ENVIRONMENT_NAME = {
    field: name for name, field in (VARIABLES | {k: f"mail.{v}" for k, v in MAIL_VARIABLES.items()}).items()
}


def load_settings(environment: Mapping[str, str] | None = None, root: Path = ROOT) -> Settings:
    """Settings from the environment over `root`/.env over the defaults. ConfigError names every wrong variable.

    Without SECRET_KEY one is made and kept in instance/secret-key, readable by this user alone.
    """
    env_file = root / ".env"
    written = {name: value for name, value in dotenv_values(env_file).items() if value is not None}
    given = {k: v for k, v in (written | dict(os.environ if environment is None else environment)).items() if v != ""}
    values: dict[str, Any] = {field: given[name] for name, field in VARIABLES.items() if name in given}
    for field, default in (("storage", "storage"), ("instance", "instance"), ("lab_config", "lab.toml")):
        values[field] = (root / values.get(field, default)).absolute()
    if "MAIL_SERVER" in given:
        values["mail"] = {field: given[name] for name, field in MAIL_VARIABLES.items() if name in given}
    if "secret_key" not in values:
        values["secret_key"] = kept_secret(values["instance"] / "secret-key", lambda: secrets.token_urlsafe(48))
    if "base_url" in values:
        values["base_url"] = values["base_url"].rstrip("/")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = _env_lines(env_file)
        raise ConfigError([_setting_mistake(problem, written, lines) for problem in error.errors()]) from error


def _setting_mistake(problem: Any, written: Mapping[str, str], lines: Mapping[str, int]) -> str:
    name = _ENVIRONMENT_NAME.get(".".join(str(part) for part in problem["loc"]), str(problem["loc"]))
    where = f".env line {lines[name]}" if name in written and name in lines else "environment"
    return f"{name} ({where}): {_said(problem)}"


def _said(problem: Any) -> str:
    """pydantic's sentence; where a check of ours raised it, just what that said."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _env_lines(path: Path) -> dict[str, int]:
    if not path.is_file():
        return {}
    lines = enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
    return {m.group(1): number for number, line in lines if (m := re.match(r"\s*(?:export\s+)?(\w+)\s*=", line))}


def kept_secret(path: Path, make: Any) -> str:
    """The secret in `path`, made and kept for this user alone the first time."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was first
        return path.read_text("ascii").strip()
    secret = str(make())
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret + "\n")
    return secret


# -- lab.toml -------------------------------------------------------------------------------------------------------


class Material(Strict):
    """`density_g_cm3`: grams per cubic centimetre."""

    name: str
    density_g_cm3: Annotated[Decimal, Field(gt=0, lt=25)] = Field(alias="density")


class Method(Strict):
    name: Annotated[str, Field(min_length=1, max_length=40)]
    description: str
    colors: Annotated[list[str], Field(min_length=1)]
    materials: Annotated[list[Material], Field(min_length=1)]


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


class LabFacts(Strict):
    name: str
    contact_email: str
    phone: str = ""
    place: str
    hours: str
    bring: str = ""
    timezone: Annotated[str, AfterValidator(_zone)] = "America/Chicago"
    staff: list[str] = []


class SubmissionFacts(Strict):
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


class PaymentFacts(Strict):
    methods: Annotated[list[str], Field(min_length=1)]


class LabFile(Strict):
    """lab.toml as it is written."""

    lab: LabFacts
    submission: SubmissionFacts
    confirmation: ValidDays
    retention: Days
    payment: PaymentFacts
    methods: Annotated[list[Method], Field(min_length=1)]
    printers: Annotated[list[Printer], Field(min_length=1)]
    prices: Annotated[list[PriceList], Field(min_length=1)]
    rejection_reasons: list[Reason] = []


class Lab:
    """What the lab is and offers: lab.toml, checked, with the look-ups that the program needs."""

    def __init__(self, file: LabFile) -> None:
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
        text = path.read_text("utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise ConfigError([f"{path.name} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path.name} is not UTF-8 text (at byte {error.start})"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path.name}: {error}"]) from error
    try:
        file = LabFile.model_validate(values)
    except ValidationError as error:
        mistakes = [(problem["loc"], _lab_mistake(problem)) for problem in error.errors()]
    else:
        mistakes = list(_contradictions(file))
    if mistakes:
        raise ConfigError([f"{path.name} line {line_in_toml(text, where)}: {what}" for where, what in mistakes])
    return Lab(file)


Where = tuple[str | int, ...]


def _lab_mistake(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{where}: {_said(problem)}"
    known = _keys_at(LabFile, problem["loc"][:-1])
    near = difflib.get_close_matches(str(problem["loc"][-1]), known, 1)
    return f"there is no {where} here" + (f"; did you mean {near[0]}?" if near else "")


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


def _contradictions(file: LabFile) -> Iterator[tuple[Where, str]]:
    """What each field allows by itself but the file as a whole does not."""
    methods = [method.name for method in file.methods]
    yield from _doubled("methods", methods)
    yield from _doubled("printers", [printer.id for printer in file.printers])
    yield from _doubled("rejection_reasons", [reason.id for reason in file.rejection_reasons])
    for n, printer in enumerate(file.printers):
        if printer.method not in methods:
            yield ("printers", n, "method"), f"printer {printer.id}: there is no method {printer.method}"
    for method in methods:
        if not any(printer.method == method for printer in file.printers):
            yield ("methods", methods.index(method)), f"no printer prints {method}"
    for n, prices in enumerate(file.prices):
        for method in set(methods) - set(prices.rates):
            yield ("prices", n, "rates"), f"the prices from {prices.valid_from} have none for {method}"


def _doubled(table: str, names: list[str]) -> Iterator[tuple[Where, str]]:
    for n, name in enumerate(names):
        if name in names[:n]:
            yield (table, n), f"{name} is there twice in {table}"


def line_in_toml(text: str, path: Where) -> int:
    """The line (from 1) of the value at `path`, or of the nearest table around it; tomllib keeps no positions."""
    best, best_depth = 1, 0
    table: Where = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[\s*([\w-]+)\s*\]\]", line):
            counts[header.group(1)] = counts.get(header.group(1), -1) + 1
            table = (header.group(1), counts[header.group(1)])
        elif header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            table = tuple(header.group(1).split("."))
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            here = (*table, key.group(1))
            if path[: len(here)] == here and len(here) > best_depth:
                best, best_depth = number, len(here)
            continue
        else:
            continue
        if path[: len(table)] == table and len(table) > best_depth:
            best, best_depth = number, len(table)
    return best
