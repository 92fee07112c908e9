"""All settings as they are, each with its place in its file. Nothing is changed here, and no secret is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from printsys.config import ROOT, Lab
from printsys.config.settings import MAIL_VARIABLES, VARIABLES, MailServer, Settings
from printsys.config.toml_lines import Where, positions
from printsys.texts import date_text
from printsys.web.auth import login_required
from printsys.web.services import services

pages = Blueprint("settings", __name__, url_prefix="/dashboard/settings")
TITLES = {
    "lab": "The lab",
    "opening": "Opening hours",
    "submission": "The form",
    "confirmation": "Time to confirm",
    "retention": "How long jobs are kept",
    "payment": "Payment",
    "reminders": "Reminders",
    "mail": "E-mail",
    "backup": "Backups",
    "folders": "Folders",
    "digest": "Morning e-mail to the lab",
    "methods": "Method",
    "printers": "Printer",
    "prices": "Prices from",
    "rejection_reasons": "Reason to reject",
    "terms": "Term",
}
NAMES = ("name", "label", "valid_from")
"""By which of its keys people know an entry of a list, such as a printer."""
DEFAULT = "not in the file: the default"


@dataclass(frozen=True)
class SettingLine:
    """`source`: the line in its file."""

    key: str
    value: str
    source: str = ""


@dataclass(frozen=True)
class SettingTable:
    """A table of lab.toml; `header` as it stands there."""

    title: str
    header: str
    lines: list[SettingLine]


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    settings, lab = services().settings, services().lab
    return render_template(
        "staff/settings.html",
        lab_config=settings.lab_config,
        env_file=ROOT / ".env",
        tables=list(lab_tables(lab, _lines(settings))),
        machine=list(machine_lines(settings)),
    )


def _lines(settings: Settings) -> Mapping[Where, int]:
    """Empty where the file cannot be read any more: the values are those of the start."""
    try:
        return {position.where: position.line for position in positions(settings.lab_config.read_text("utf-8-sig"))}
    except (OSError, UnicodeDecodeError):
        return {}


def lab_tables(lab: Lab, lines: Mapping[Where, int]) -> Iterator[SettingTable]:
    """In the file's own words and order of keys. `lines`: where in the file each value stands."""
    for name, value in lab.model_dump(by_alias=True).items():
        if value is None or value == []:
            yield SettingTable(TITLES[name], f"[{name}]", [SettingLine("in use", "no", "the file has no such table")])
        elif isinstance(value, list):
            for n, entry in enumerate(value):
                called = next((_words(entry[key]) for key in NAMES if key in entry), str(n + 1))
                yield SettingTable(f"{TITLES[name]} {called}", f"[[{name}]]", list(_rows(entry, (name, n), lines)))
        else:
            yield SettingTable(TITLES[name], f"[{name}]", list(_rows(value, (name,), lines)))


def _rows(table: Mapping[str, Any], where: Where, lines: Mapping[Where, int]) -> Iterator[SettingLine]:
    for key, value in table.items():
        line = lines.get((*where, key))
        yield SettingLine(key, _words(value), f"line {line}" if line else DEFAULT if lines else "")


def machine_lines(settings: Settings) -> Iterator[SettingLine]:
    """Of a secret only whether there is one."""
    for variable, field in VARIABLES.items():
        yield SettingLine(variable, _setting(settings, Settings, field))
    for variable, field in MAIL_VARIABLES.items():
        yield SettingLine(variable, _setting(settings.mail, MailServer, field) if settings.mail else "not set")


def _setting(holder: BaseModel, model: type[BaseModel], field: str) -> str:
    value = getattr(holder, field)
    if value is None:
        return "not set"
    return _words(value) if model.model_fields[field].repr else "set, not shown"


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_words(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        separator = "; " if any(isinstance(item, Mapping) for item in value) else ", "
        return separator.join(_words(item) for item in value) or "none"
    if isinstance(value, date):
        return date_text(value)
    return str(value) if value != "" else "empty"
