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

    Raises ValueError where the text is so unusual that it does not end with that value, or anything else changed.
    """
    line = f"{key} = {quoted(value)}"
    lines = text.splitlines()
    top = next((i for i, text_line in enumerate(lines) if text_line.lstrip().startswith("[")), len(lines))
    existing = next((i for i in range(top) if re.match(rf"\s*{re.escape(key)}\s*=", lines[i])), None)
    if existing is None:
        lines.insert(0, line)
    else:
        lines[existing] = line
    changed = "\n".join(lines) + "\n"
    if tomllib.loads(changed) != {**tomllib.loads(text), key: value}:
        raise ValueError(f"{key} could not be set; please set it by hand to {quoted(value)}")
    return changed


def table(values: Mapping[str, str]) -> str:
    return "".join(f"{quoted(key)} = {quoted(value)}\n" for key, value in sorted(values.items()))


def write(path: Path, text: str) -> None:
    """Replaces the file at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new_file = path.with_name(f"{path.name}.{os.getpid()}.new")
    new_file.write_text(text, encoding="utf-8", newline="\n")
    os.replace(new_file, path)
