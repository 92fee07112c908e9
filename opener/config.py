"""This computer's settings: where storage is, and how its slicers differ from the catalog.

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
from opener.refusals import Reason, Refused

_KEYS = {"storage", "storage_id", "slicers"}
_SLICER_KEYS = {"name", "path", "extensions", "printers", "methods", "ignore"}
_LISTS = ("extensions", "printers", "methods")
_SCRIPTS = (".bat", ".cmd", ".ps1", ".vbs", ".js", ".com", ".lnk", ".scr")


@dataclass(frozen=True)
class SlicerOverride:
    """The settings of one slicer; None where they say nothing."""

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
    slicers: tuple[SlicerOverride, ...] = ()


@dataclass
class _ConfigReader:
    """Reads one document and collects all its mistakes."""

    mistakes: list[str] = field(default_factory=list)

    def text(self, values: Mapping[str, Any], key: str, prefix: str) -> str:
        value = values.get(key, "")
        if isinstance(value, str) and not names.has_hidden_signs(value):
            return value
        self.mistakes.append(f"{prefix}{key} must be a text in quotes")
        return ""

    def list(self, values: Mapping[str, Any], key: str, prefix: str) -> frozenset[str] | None:
        value = values.get(key)
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return frozenset(item.strip().lower() for item in value)
        self.mistakes.append(f"{prefix}{key} must be a list of texts")
        return None

    def unknown(self, values: Mapping[str, Any], allowed: set[str], prefix: str) -> None:
        for key in sorted(set(values) - allowed):
            self.mistakes.append(f"{prefix}{key} is not a setting")

    def absolute(self, path: str, setting: str) -> None:
        if path and not (os.path.isabs(path) or ntpath.splitdrive(path)[0]):
            self.mistakes.append(f"{setting} must be a whole path, from the root or the drive on: {path}")

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

    def override(self, entry: Mapping[str, Any], prefix: str) -> SlicerOverride:
        self.unknown(entry, _SLICER_KEYS, prefix)
        name = self.text(entry, "name", prefix)
        if not name:
            self.mistakes.append(f"{prefix}name is missing")
        path = self.text(entry, "path", prefix) or None
        self.absolute(path or "", f"{prefix}path")
        if path and path.lower().endswith(_SCRIPTS):
            self.mistakes.append(f"{prefix}path must be the program itself, not a script: {path}")
        extensions, printers, methods = (self.list(entry, key, prefix) for key in _LISTS)
        for extension in sorted((extensions or frozenset()) - names.OPENABLE):
            self.mistakes.append(f"{prefix}{extension} is no model's or slicer file's extension")
        ignore = entry.get("ignore", False)
        if not isinstance(ignore, bool):
            self.mistakes.append(f"{prefix}ignore must be true or false")
        return SlicerOverride(name, path, extensions, printers, methods, ignore is True)


def read(path: Path) -> Config:
    """The settings at `path`, empty ones where there is no such file. Raises Refused with all mistakes at once."""
    raw = b""
    try:
        raw = path.read_bytes()
        document = tomllib.loads(raw.decode("utf-8-sig"))
    except FileNotFoundError:
        return Config()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Reason.CONFIG, f"{path}: {error}{_hint(raw)}") from error
    except OSError as error:
        raise Refused(Reason.CONFIG, f"{path}: {error.strerror}") from error
    reader = _ConfigReader()
    config = reader.config(document)
    if reader.mistakes:
        raise Refused(Reason.CONFIG, f"{path}: " + "; ".join(reader.mistakes) + _hint(raw))
    return config


def _hint(raw: bytes) -> str:
    """TOML reads a backslash between double quotes as the beginning of an escape: `"P:\\new"` has a line end in it."""
    return ". In a path write / for each \\" if b"\\" in raw else ""


def set_storage(path: Path, storage: str, storage_id: str) -> None:
    """Writes both into the settings at `path`; the rest stays as a person wrote it. Raises Refused."""
    read(path)
    try:
        text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
        for key, value in (("storage_id", storage_id), ("storage", storage)):
            text = tomltext.with_value(text, key, value)
        tomltext.write(path, text)
    except ValueError as error:
        raise Refused(Reason.CONFIG, f"{path}: {error}") from error
    except OSError as error:
        raise Refused(Reason.CONFIG, f"{path} cannot be written: {error.strerror}") from error
