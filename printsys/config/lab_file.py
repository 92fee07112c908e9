"""Reads lab.toml and checks it as a whole at start. All mistakes at once, each with its line.

The types in config/lab.py say what one value may be. What must agree between tables is checked here, on the values
as written: pydantic asks a model's own validators only when every field is right, and would hold such mistakes back.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from printsys.config.lab import Lab, ReminderTable
from printsys.config.strict import sentence
from printsys.config.toml_lines import Where, line_of
from printsys.domain.words import counted
from printsys.errors import ConfigError

Mistake = tuple[Where, str]


def load_lab(path: Path) -> Lab:
    """lab.toml at `path`. ConfigError with every mistake and its line."""
    text, values = _read(path)
    mistakes = [mistake for check in AGREEMENTS for mistake in check(Tables(values))]
    try:
        lab = Lab.model_validate(values)
    except ValidationError as error:
        mistakes += [(problem["loc"], _field_mistake(problem)) for problem in error.errors()]
    if mistakes:
        by_line = sorted((line_of(text, where), words) for where, words in mistakes)
        raise ConfigError([f"{path.name} line {line}: {words}" for line, words in by_line])
    return lab


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    text = ""
    try:
        text = path.read_text("utf-8-sig")
        return text, tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise ConfigError([f"{path.name} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path.name} is not UTF-8 text (at byte {error.start})"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_mistake(path.name, text, str(error))]) from error


def _syntax_mistake(name: str, text: str, message: str) -> str:
    position = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if position is None:
        return f"{name}: {message}"
    line = position.group(1) or len(text.rstrip().splitlines())
    return f"{name} line {line}: this is not TOML: {message[: position.start()]}"


# -- what each field allows -----------------------------------------------------------------------------------------


def _field_mistake(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{where}: {sentence(problem)}"
    near = difflib.get_close_matches(str(problem["loc"][-1]), _keys_at(Lab, problem["loc"][:-1]), 1)
    return f"there is no {where} here" + (f"; did you mean {near[0]}?" if near else "")


def _keys_at(model: type[BaseModel], where: Sequence[str | int]) -> list[str]:
    """The keys that lab.toml may have at `where`."""
    for key in where:
        if isinstance(key, int):
            continue
        field = next((field for name, field in model.model_fields.items() if key in (name, field.alias)), None)
        nested = _model_in(field.annotation) if field else None
        if nested is None:
            return []
        model = nested
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    return next((model for argument in arguments if (model := _model_in(argument))), None)


# -- what must agree ------------------------------------------------------------------------------------------------


class Tables:
    """The tables of lab.toml as far as they are tables: whatever else stands there is a field's mistake."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def table(self, name: str) -> Mapping[str, Any]:
        table = self._values.get(name)
        return table if isinstance(table, dict) else {}

    def rows(self, name: str) -> list[tuple[int, Mapping[str, Any]]]:
        """With the place of each in its list."""
        rows = self._values.get(name)
        return [(n, row) for n, row in enumerate(rows) if isinstance(row, dict)] if isinstance(rows, list) else []

    def column(self, name: str, key: str) -> list[str]:
        return [row[key] for _, row in self.rows(name) if isinstance(row.get(key), str)]


def reminders_come_in_time(tables: Tables) -> Iterator[Mistake]:
    """Not when there is nothing to confirm any more."""
    after, valid = tables.table("reminders").get("confirm_after_days"), tables.table("confirmation").get("valid_days")
    if isinstance(after, int) and isinstance(valid, int) and after >= valid:
        words = (
            f"a link is valid for {counted(valid, 'day')}, so a reminder after {counted(after, 'day')} comes too late"
        )
        yield ("reminders", "confirm_after_days"), words


def the_last_call_comes_last(tables: Tables) -> Iterator[Mistake]:
    remind = tables.table("reminders").get("collect_after_days", ReminderTable().collect_after_days)
    last_call = tables.table("retention").get("uncollected_days")
    if isinstance(remind, int) and isinstance(last_call, int) and 0 < last_call <= remind:
        words = f"the last e-mail comes after the reminder, which goes out after {counted(remind, 'day')}"
        yield ("retention", "uncollected_days"), words


def keys_are_unique(tables: Tables) -> Iterator[Mistake]:
    for table, key in (
        ("methods", "name"),
        ("printers", "id"),
        ("rejection_reasons", "id"),
        ("prices", "valid_from"),
        ("terms", "name"),
    ):
        earlier: list[Any] = []
        for n, row in tables.rows(table):
            if row.get(key) is not None and row[key] in earlier:
                yield (table, n, key), f"{row[key]} is there twice in {table}"
            earlier.append(row.get(key))


def printers_have_a_method(tables: Tables) -> Iterator[Mistake]:
    methods = tables.column("methods", "name")
    for n, printer in tables.rows("printers"):
        if "method" in printer and printer["method"] not in methods:
            yield ("printers", n, "method"), f"printer {printer.get('id')}: there is no method {printer['method']}"


def methods_have_a_printer(tables: Tables) -> Iterator[Mistake]:
    printed = tables.column("printers", "method")
    for n, method in tables.rows("methods"):
        if "name" in method and method["name"] not in printed:
            yield ("methods", n, "name"), f"no printer prints {method['name']}"


def prices_are_for_the_methods(tables: Tables) -> Iterator[Mistake]:
    methods = tables.column("methods", "name")
    for n, prices in tables.rows("prices"):
        if not isinstance(rates := prices.get("rates"), dict):
            continue
        for method in methods:
            if method not in rates:
                yield ("prices", n, "rates"), f"the prices from {prices.get('valid_from')} have none for {method}"
        for name in rates:
            if name not in methods:
                yield ("prices", n, "rates", name), f"there is a price for {name}, but no such method"


def price_rules_are_for_what_there_is(tables: Tables) -> Iterator[Mistake]:
    offered = {
        "methods": tables.column("methods", "name"),
        "disciplines": tables.table("submission").get("disciplines"),
    }
    for n, prices in tables.rows("prices"):
        rules = prices.get("rules")
        for m, rule in enumerate(rules if isinstance(rules, list) else []):
            for key, names in offered.items():
                listed = rule.get(key) if isinstance(rule, dict) else None
                if not isinstance(listed, list) or not isinstance(names, list):
                    continue
                for name in listed:
                    if name not in names:
                        kind = key.removesuffix("s")
                        yield ("prices", n, "rules", m, key), f"the price rule {rule.get('name')}: no {kind} {name}"


def terms_follow_each_other(tables: Tables) -> Iterator[Mistake]:
    days = [
        (n, row)
        for n, row in tables.rows("terms")
        if isinstance(row.get("first"), date) and isinstance(row.get("last"), date)
    ]
    for n, term in days:
        if term["first"] > term["last"]:
            yield ("terms", n, "last"), f"the term {term.get('name')} ends before it begins"
        for m, earlier in days:
            if m < n and term["first"] <= earlier["last"] and earlier["first"] <= term["last"]:
                yield ("terms", n, "first"), f"the terms {earlier.get('name')} and {term.get('name')} overlap"


AGREEMENTS = (
    terms_follow_each_other,
    reminders_come_in_time,
    the_last_call_comes_last,
    keys_are_unique,
    printers_have_a_method,
    methods_have_a_printer,
    prices_are_for_the_methods,
    price_rules_are_for_what_there_is,
)
