"""Writes the little TOML that the opener needs (`tomllib` only reads); what a person wrote around it stays."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def quoted(text: str) -> str:
    """A basic string of TOML (https://toml.io/en/v1.0.0#string)."""
    return '"' + "".join(_ESCAPES.get(c, f"\\u{ord(c):04X}" if ord(c) < 32 or c == "\x7f" else c) for c in text) + '"'


def with_value(text: str, key: str, value: str) -> str:
    """`text` with the top-level `key` set to `value`; its other lines and comments stay as they are.

    Raises ValueError where the text is so unusual that the value did not arrive, or anything else changed.
    """
    line = f"{key} = {quoted(value)}"
    lines = text.splitlines()
    top = next((i for i, each in enumerate(lines) if each.lstrip().startswith("[")), len(lines))
    there = next((i for i in range(top) if re.match(rf"\s*{re.escape(key)}\s*=", lines[i])), None)
    if there is None:
        lines.insert(0, line)
    else:
        lines[there] = line
    changed = "\n".join(lines) + "\n"
    if tomllib.loads(changed) != {**tomllib.loads(text), key: value}:
        raise ValueError(f"{key} could not be set; please set it by hand to {quoted(value)}")
    return changed


def table(values: Mapping[str, str]) -> str:
    return "".join(f"{quoted(key)} = {quoted(value)}\n" for key, value in sorted(values.items()))


def write(path: Path, text: str) -> None:
    """Replaces the file at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.write_text(text, encoding="utf-8", newline="\n")
    os.replace(beside, path)
