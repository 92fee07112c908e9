"""lab.toml as types: what the lab is and offers."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

from printsys.config.colors import HEX, LEAST_CONTRAST, WHITE, contrast
from printsys.config.strict import Strict
from printsys.domain import pricing
from printsys.domain.crowded import MOST_FILES
from printsys.domain.filetypes import ADVISED, MESHES
from printsys.domain.opening_hours import OpeningHours
from printsys.domain.payments import Charge
from printsys.domain.pricing import PriceList
from printsys.domain.reminders import Patience


class Material(Strict):
    """`density_g_cm3`: grams per cubic centimetre. `aliases`: what else slicers call it."""

    name: str
    density_g_cm3: Annotated[Decimal, Field(gt=0, lt=25)] = Field(alias="density")
    aliases: list[str] = []


class Method(Strict):
    """`solid`: printed without infill, as resin is. `least_wall_mm`, two lines of the print: the student
    hears of thinner walls, and of details slimmer than one."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    description: str
    colors: Annotated[list[str], Field(min_length=1)]
    materials: Annotated[list[Material], Field(min_length=1)]
    solid: bool = False
    least_wall_mm: Annotated[float, Field(gt=0, le=2)] = 0.8


class Printer(Strict):
    """`build_volume_mm`: width, depth, height in millimeters. `slicer_names`: what slicers call it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    name: str
    method: str
    build_volume_mm: Annotated[tuple[int, int, int], Field(alias="build_volume")]
    slicer_names: list[str] = []

    @property
    def known_names(self) -> list[str]:
        """The slicers' names for it and the lab's own, also without the maker's ("MK4S")."""
        return [*self.slicer_names, self.name, self.name.partition(" ")[2], self.id]

    @property
    def volume_text(self) -> str:
        return " × ".join(str(side) for side in self.build_volume_mm) + " mm"


class Reason(Strict):
    """`label` is what staff tick, `text` what the student reads."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    label: str
    text: str


FIRST_YEAR, LAST_YEAR = 1990, 2199
"""Outside of them lies no day that a report is about."""


def _report_day(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"{day} does not lie between {FIRST_YEAR} and {LAST_YEAR}")
    return day


class Term(Strict):
    """Days that reports may add up to, both included."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    first: Annotated[date, AfterValidator(_report_day)]
    last: Annotated[date, AfterValidator(_report_day)]


def _address(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(f"{value!r} is no e-mail address like printlab@example.edu") from error


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error
    return name


def _mesh_extension(extension: str) -> str:
    if extension not in MESHES:
        raise ValueError(f"{extension!r} is none of {', '.join(MESHES)}")
    return extension


def _accent(color: str) -> str:
    if not color:
        return color
    if not HEX.fullmatch(color):
        raise ValueError(f"{color!r} is no color like #0f766e")
    if contrast(color, WHITE) < LEAST_CONTRAST:
        raise ValueError(f"{color!r} is too light: nobody could read the white words on a button of it")
    return color.lower()


PICTURE_NAME = re.compile(r"[^/\\:]+\.(png|jpe?g|webp|gif)", re.IGNORECASE)


def _picture_name(name: str) -> str:
    if name and not PICTURE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a PNG, JPEG, WebP or GIF picture that lies beside lab.toml")
    return name


class LabTable(Strict):
    """What e-mail templates call `lab`. `accent`: the color of buttons and links; empty: the usual one. `logo`: a
    picture beside lab.toml, for the head of the pages; empty: none."""

    name: str
    contact_email: Annotated[str, AfterValidator(_address)]
    phone: str = ""
    place: str
    hours: str
    bring: str = ""
    timezone: Annotated[str, AfterValidator(_zone)] = "America/Chicago"
    staff: list[str] = []
    accent: Annotated[str, AfterValidator(_accent)] = ""
    logo: Annotated[str, AfterValidator(_picture_name)] = ""

    def logo_file(self, lab_toml: Path) -> Path | None:
        return lab_toml.absolute().parent / self.logo if self.logo else None


def _hours(text: str) -> tuple[time, time] | None:
    """`9:00-17:00`; empty: closed."""
    if not text.strip():
        return None
    try:
        opens, closes = (datetime.strptime(part.strip(), "%H:%M").time() for part in text.split("-"))
    except ValueError as error:
        raise ValueError(f'{text!r} is no time like "9:00-17:00"') from error
    if opens >= closes:
        raise ValueError(f"{text!r} ends before it begins")
    return opens, closes


def _check_hours(text: str) -> str:
    _hours(text)
    return text


Hours = Annotated[str, AfterValidator(_check_hours)]


class OpeningTable(Strict):
    """From when to when the lab is open, like `9:00-17:00`; empty: not at all. What the queue's days are counted by."""

    monday: Hours = "9:00-17:00"
    tuesday: Hours = "9:00-17:00"
    wednesday: Hours = "9:00-17:00"
    thursday: Hours = "9:00-17:00"
    friday: Hours = "9:00-17:00"
    saturday: Hours = ""
    sunday: Hours = ""
    closed_days: list[date] = []

    @property
    def by_weekday(self) -> dict[int, tuple[time, time]]:
        texts = (self.monday, self.tuesday, self.wednesday, self.thursday, self.friday, self.saturday, self.sunday)
        return {weekday: hours for weekday, text in enumerate(texts) if (hours := _hours(text)) is not None}


class SubmissionTable(Strict):
    introduction: str
    disciplines: Annotated[list[str], Field(min_length=1)]
    extensions: list[Annotated[str, AfterValidator(_mesh_extension)]] = [*ADVISED]
    max_files: Annotated[int, Field(ge=1, le=50)] = 5
    max_file_mb: Annotated[int, Field(ge=1, le=2000)] = 50
    max_copies: Annotated[int, Field(ge=1, le=1000)] = 20
    expected_domains: list[str] = ["gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com"]
    email_at_counter: Literal["required", "optional"] = "required"
    consent_question: str
    consent_refused: str

    @property
    def max_file_bytes(self) -> int:
        return self.max_file_mb * 1024 * 1024


class RetentionTable(Strict):
    """`days` after its end a job may go to the archive, and `prune_days` after that be pruned; 0: never. Neither
    happens by itself. A print that nobody collects for `uncollected_days` gets a last e-mail, and is the lab's
    `last_call_days` after it; 0: never."""

    days: Annotated[int, Field(ge=1, le=3650)]
    prune_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    uncollected_days: Annotated[int, Field(ge=0, le=3650)] = 0
    last_call_days: Annotated[int, Field(ge=1, le=365)] = 14


class ValidDays(Strict):
    valid_days: Annotated[int, Field(ge=1, le=365)]


class ReminderTable(Strict):
    """Days after which a student is reminded: of the price to confirm, of the print to collect. 0: never."""

    confirm_after_days: Annotated[int, Field(ge=0, le=365)] = 3
    collect_after_days: Annotated[int, Field(ge=0, le=365)] = 14

    @property
    def patience(self) -> Patience:
        confirm, collect = (timedelta(days=days) for days in (self.confirm_after_days, self.collect_after_days))
        return Patience(confirm or None, collect or None)


class MailTable(Strict):
    """`templates`: the folder of the lab's own e-mail templates, from where lab.toml is. It need not be there.

    `most_receipts_an_hour`: so many e-mails that students cause ("we have your request", say) go to one address, the
    lab's too; whoever submits can name anybody's.
    """

    templates: Annotated[str, Field(min_length=1)] = "mail-templates"
    most_receipts_an_hour: Annotated[int, Field(ge=1, le=10_000)] = 30

    def folder(self, lab_toml: Path) -> Path:
        return lab_toml.absolute().parent / self.templates


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


class DigestTable(Strict):
    """The lab's own morning e-mail. `recipients`: nobody named means the lab's contact address. `hour`: of the lab's
    clock, from which on it goes out. `week_on`: the day on which it sums up the week, too; empty: never."""

    recipients: list[Annotated[str, AfterValidator(_address)]] = []
    days: list[Weekday] = list(WEEKDAYS[:5])
    hour: Annotated[int, Field(ge=0, le=23)] = 7
    week_on: Weekday | Literal[""] = "monday"

    def is_day(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in (*self.days, self.week_on)

    def sums_up_the_week(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] == self.week_on


class PaymentTable(Strict):
    """`charge`: what a print costs whose weight at the counter is not the quote's, the quote or what the scale says."""

    methods: Annotated[list[str], Field(min_length=1)]
    charge: Charge = "quote"


class FolderTable(Strict):
    """`most_files`: so many files of a job's folder are recorded; more are one item under Attention."""

    most_files: Annotated[int, Field(ge=10, le=2000)] = MOST_FILES


def _check_time(text: str) -> str:
    if text:
        try:
            datetime.strptime(text, "%H:%M")
        except ValueError as error:
            raise ValueError(f'{text!r} is no time like "18:00"') from error
    return text


class BackupTable(Strict):
    """`place`: the folder of the backups, empty for none. `time`: when the day's backup is due; empty: only by hand.
    `keep`: so many of the newest, 0 for all."""

    place: str = ""
    time: Annotated[str, AfterValidator(_check_time)] = "18:00"
    keep: Annotated[int, Field(ge=0, le=100_000)] = 0

    def folder(self, lab_toml: Path) -> Path | None:
        return lab_toml.absolute().parent / self.place if self.place else None

    def last_due(self, now: datetime, timezone: str) -> datetime | None:
        """The last moment at which a backup was due; None where none is made by itself."""
        if not self.time:
            return None
        zone = ZoneInfo(timezone)
        today, at = now.astimezone(zone).date(), datetime.strptime(self.time, "%H:%M").time()
        due_at = datetime.combine(today, at, zone)
        return due_at if due_at <= now else datetime.combine(today - timedelta(days=1), at, zone)


class Lab(Strict):
    """What the lab is and offers: lab.toml, with the look-ups that the program needs."""

    about: LabTable = Field(alias="lab")
    opening: OpeningTable = OpeningTable()
    submission: SubmissionTable
    confirmation: ValidDays
    retention: RetentionTable
    payment: PaymentTable
    reminders: ReminderTable = ReminderTable()
    mail: MailTable = MailTable()
    folders: FolderTable = FolderTable()
    digest: DigestTable | None = None
    backup: BackupTable = BackupTable()
    methods: Annotated[list[Method], Field(min_length=1)]
    printers: Annotated[list[Printer], Field(min_length=1)]
    prices: Annotated[list[PriceList], Field(min_length=1)]
    rejection_reasons: list[Reason] = []
    terms: list[Term] = []

    def method(self, name: str) -> Method | None:
        return next((method for method in self.methods if method.name == name), None)

    def printer(self, printer_id: str | None) -> Printer | None:
        return next((printer for printer in self.printers if printer.id == printer_id), None)

    def printer_name(self, printer_id: str | None) -> str | None:
        """The id itself of a printer that the lab does not have any more."""
        printer = self.printer(printer_id)
        return printer.name if printer else printer_id

    @property
    def patience(self) -> Patience:
        """How long the lab waits for students."""
        last_call, keep = (timedelta(days=n) for n in (self.retention.uncollected_days, self.retention.last_call_days))
        return replace(self.reminders.patience, last_call=last_call or None, keep=keep)

    @property
    def volumes(self) -> list[tuple[int, int, int]]:
        """Of the printers, in mm, each once."""
        return list(dict.fromkeys(printer.build_volume_mm for printer in self.printers))

    def printers_for(self, method: str) -> list[Printer]:
        return [printer for printer in self.printers if printer.method == method]

    def reason(self, reason_id: str) -> Reason | None:
        return next((reason for reason in self.rejection_reasons if reason.id == reason_id), None)

    def today(self, now: datetime) -> date:
        """The day at the lab."""
        return now.astimezone(ZoneInfo(self.about.timezone)).date()

    def opening_hours(self, closed_days: Set[date] = frozenset()) -> OpeningHours:
        """`closed_days`: besides those of lab.toml."""
        closed = frozenset(self.opening.closed_days) | closed_days
        return OpeningHours(ZoneInfo(self.about.timezone), self.opening.by_weekday, closed)

    def price_list_on(self, day: date) -> PriceList:
        return pricing.price_list_on(day, self.prices)
