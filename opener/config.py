"""This computer's settings: where storage is, and what is different about its slicers.

storage = "P:/printlab"
storage_id = "…"            # written by install: the proof that it is the same storage

[[slicers]]
name = "PrusaSlicer"        # a known one: what is given here replaces what was found
path = "D:/Tools/PrusaSlicer/prusa-slicer.exe"
extensions = [".stl", ".3mf"]
printers = ["prusa-mk4s"]   # this one is taken for these printers' jobs, and for no others
methods = ["Filament"]

[[slicers]]
name = "Cura"
ignore = true               # not offered, though it is installed
"""

from __future__ import annotations

import ntpath
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opener import names, tomltext
from opener.refusals import Refused, Why

_KEYS = {"storage", "storage_id", "slicers"}
_SLICER_KEYS = {"name", "path", "extensions", "printers", "methods", "ignore"}
_LISTS = ("extensions", "printers", "methods")
_SCRIPTS = (".bat", ".cmd", ".ps1", ".vbs", ".js", ".com", ".lnk", ".scr")


@dataclass(frozen=True)
class Override:
    """What the settings say of one slicer; None where they say nothing."""

    name: str
    path: str | None = None
    extensions: frozenset[str] | None = None
    printers: frozenset[str] | None = None
    methods: frozenset[str] | None = None
    ignore: bool = False


@dataclass(frozen=True)
class Config:
    storage: str = ""
    storage_id: str = ""
    slicers: tuple[Override, ...] = ()


@dataclass
class _ConfigReader:
    """Reads one document and collects all that is wrong with it."""

    mistakes: list[str] = field(default_factory=list)

    def text(self, values: Mapping[str, Any], key: str, where: str) -> str:
        value = values.get(key, "")
        if isinstance(value, str) and not names.has_hidden_signs(value):
            return value
        self.mistakes.append(f"{where}{key} must be a text in quotes")
        return ""

    def list(self, values: Mapping[str, Any], key: str, where: str) -> frozenset[str] | None:
        value = values.get(key)
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return frozenset(each.strip().lower() for each in value)
        self.mistakes.append(f"{where}{key} must be a list of texts")
        return None

    def unknown(self, values: Mapping[str, Any], known: set[str], where: str) -> None:
        for key in sorted(set(values) - known):
            self.mistakes.append(f"{where}{key} is not a setting")

    def absolute(self, path: str, what: str) -> None:
        if path and not (os.path.isabs(path) or ntpath.splitdrive(path)[0]):
            self.mistakes.append(f"{what} must be a whole path, from the root or the drive on: {path}")

    def config(self, document: Mapping[str, Any]) -> Config:
        self.unknown(document, _KEYS, "")
        storage = self.text(document, "storage", "")
        self.absolute(storage, "storage")
        entries = document.get("slicers", [])
        if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
            self.mistakes.append("slicers must be written as [[slicers]] blocks")
            entries = []
        overrides = tuple(self.override(entry, f"slicer {n}: ") for n, entry in enumerate(entries, 1))
        return Config(storage, self.text(document, "storage_id", ""), overrides)

    def override(self, entry: Mapping[str, Any], where: str) -> Override:
        self.unknown(entry, _SLICER_KEYS, where)
        name = self.text(entry, "name", where)
        if not name:
            self.mistakes.append(f"{where}name is missing")
        path = self.text(entry, "path", where) or None
        self.absolute(path or "", f"{where}path")
        if path and path.lower().endswith(_SCRIPTS):
            self.mistakes.append(f"{where}path must be the program itself, not a script: {path}")
        extensions, printers, methods = (self.list(entry, key, where) for key in _LISTS)
        for extension in sorted((extensions or frozenset()) - names.OPENABLE):
            self.mistakes.append(f"{where}{extension} is no model's or slicer file's extension")
        ignore = entry.get("ignore", False)
        if not isinstance(ignore, bool):
            self.mistakes.append(f"{where}ignore must be true or false")
        return Override(name, path, extensions, printers, methods, ignore is True)


def read(path: Path) -> Config:
    """The settings at `path`, empty ones where there is no such file. Raises Refused with all mistakes at once."""
    document = _document(path)
    reader = _ConfigReader()
    config = reader.config(document)
    if reader.mistakes:
        raise Refused(Why.CONFIG, f"{path}: " + "; ".join(reader.mistakes))
    return config


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Why.CONFIG, f"{path}: {error}") from error
    except OSError as error:
        raise Refused(Why.CONFIG, f"{path}: {error.strerror}") from error


def set_storage(path: Path, storage: str, storage_id: str) -> None:
    """Writes both into the settings at `path` and leaves the rest as a person wrote it. Raises Refused."""
    read(path)
    try:
        text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
        for key, value in (("storage_id", storage_id), ("storage", storage)):
            text = tomltext.with_value(text, key, value)
        tomltext.write(path, text)
    except ValueError as error:
        raise Refused(Why.CONFIG, f"{path}: {error}") from error
    except OSError as error:
        raise Refused(Why.CONFIG, f"{path} cannot be written: {error.strerror}") from error
