"""The objects that a G-code lists, each copy by itself: what a printer may skip while it prints.

Klipper's `EXCLUDE_OBJECT_DEFINE`, Marlin's `M486`, PrusaSlicer's `objects_info` (also in binary G-code) and Bambu's
`model label id` all stand before the first move. Comments for OctoPrint name each object as it is printed: in the first
layer all of them, unless they are printed one by one. https://marlinfw.org/docs/gcode/M486.html
"""

from __future__ import annotations

import json
import re

from printsys.slicers.gcode_comments import GcodeComments

DEFINED = re.compile(rb"^EXCLUDE_OBJECT_DEFINE\b[^\r\n]*?\bNAME=('[^'\r\n]*'|\"[^\"\r\n]*\"|\S+)", re.MULTILINE)
NAMED = re.compile(rb"^M486 S(\d{1,5})[^\r\n]*\r?\nM486 A([^\r\n]{0,300})", re.MULTILINE)
COUNTED = re.compile(rb"^M486 T(\d{1,4})\b", re.MULTILINE)
INFO = re.compile(rb"^; ?objects_info = (\{[^\r\n]*\})\s*$", re.MULTILINE)
LABELS = re.compile(r"[\d ,]{1,20000}")
PRINTED = re.compile(rb"^; ?(?:INIT )?printing object ([^\r\n]{1,300})", re.MULTILINE)
LAYER = re.compile(rb"^; ?LAYER_CHANGE\b", re.MULTILINE)
TOGETHER = {"complete_objects": "0", "print_sequence": "by layer"}
"""Settings by which each layer holds all objects."""
TOWER = re.compile(r"(?:wipe|prime)[ _]?tower", re.IGNORECASE)
MOST = 1000
MOST_NAME = 200


def listed(comments: GcodeComments) -> tuple[str, ...]:
    """A name for each; empty where the file lists none, or not surely all of them."""
    names = _defined(comments.head) or _named(comments) or _from_info(comments) or _labeled(comments)
    names = names or _in_first_layer(comments)
    return without_towers(names) if len(names) <= MOST else ()


def without_towers(names: list[str]) -> tuple[str, ...]:
    """A tower on which filament is wiped off is no object of anybody's."""
    return tuple(name[:MOST_NAME] for name in names if not TOWER.match(name))


def _defined(head: bytes) -> list[str]:
    """None where the part of the file that we read ends within the list."""
    matches = [*DEFINED.finditer(head)]
    if not matches or b"\n" not in head[matches[-1].end() :].rstrip():
        return []
    names = dict.fromkeys(match.group(1).strip(b"'\"") for match in matches)
    return [name.decode("utf-8", "replace") for name in names]


def _named(comments: GcodeComments) -> list[str]:
    by_number = {match.group(1): match.group(2) for match in NAMED.finditer(comments.head)}
    if by_number:
        return [name.decode("utf-8", "replace").strip() for name in by_number.values()]
    counted = COUNTED.search(comments.head)
    return [f"object {number}" for number in range(1, int(counted.group(1)) + 1)] if counted else []


def _from_info(comments: GcodeComments) -> list[str]:
    match = INFO.search(comments.tail) or INFO.search(comments.head)
    try:
        info = json.loads(match.group(1)) if match else {}
    except (ValueError, RecursionError):
        return []
    objects = info.get("objects") if isinstance(info, dict) else None
    if not isinstance(objects, list):
        return []
    return [str(entry.get("name") or "object") for entry in objects if isinstance(entry, dict)]


def _labeled(comments: GcodeComments) -> list[str]:
    labels = comments.header("model label id") or ""
    return [f"object {number.strip()}" for number in labels.split(",")] if LABELS.fullmatch(labels) else []


def _in_first_layer(comments: GcodeComments) -> list[str]:
    """None where we do not see the whole layer, or where the objects are printed one after the other."""
    layers = [match.start() for match in LAYER.finditer(comments.head)]
    if len(layers) < 2 or not any(comments.setting(name) == value for name, value in TOGETHER.items()):
        return []
    names = dict.fromkeys(match.group(1).strip() for match in PRINTED.finditer(comments.head[: layers[1]]))
    return [name.decode("utf-8", "replace") for name in names]
