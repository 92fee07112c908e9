"""FlashForge's `.gx`: a header of 58 bytes, a BMP, for some printers a PNG, then G-code as text.

The header states seconds, millimetres of filament for the right and the left nozzle, and micrometres a layer; offsets
are from the file's beginning, little-endian. FlashForge publishes no specification; owners of its printers wrote down
what FlashPrint 5 writes: https://github.com/slic3r/Slic3r/issues/4869.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import BinaryIO, NamedTuple

from printsys.slicers import gcode, gcode_comments, usage
from printsys.slicers.facts import UNKNOWN, SlicerFacts
from printsys.slicers.numerals import seconds

MAGIC = b"xgcode 1"
HEADER = struct.Struct("<16x6I2xH")
MM_PER_UM = Decimal("0.001")
MOST_PICTURE = 4 << 20


class Header(NamedTuple):
    bmp_at: int
    png_at: int
    """The same as `gcode_at` in a file without a second picture."""
    gcode_at: int
    time_s: int
    right_mm: int
    left_mm: int
    layer_um: int


def is_one(head: bytes) -> bool:
    return head.startswith(MAGIC)


def read(stream: BinaryIO) -> SlicerFacts:
    """What the G-code says and, where it says nothing (FlashPrint's own does not), what the header says."""
    header = _header(stream)
    if header is None:
        return SlicerFacts(warnings=("The file is cut short.",))
    facts = gcode.read(gcode_comments.of_file(stream, header.gcode_at))
    tools = facts.tools or usage.tools(lengths=[Decimal(header.right_mm), Decimal(header.left_mm)])
    time_s = facts.time_s or seconds(Decimal(header.time_s))
    return facts.model_copy(
        update={
            "family": "flashforge" if facts.family == UNKNOWN else facts.family,
            **(usage.normal(time_s) if facts.time_s is None else {}),
            **(usage.totals(tools) if not facts.tools else {}),
            "tools": tools,
            "layer_height_mm": facts.layer_height_mm or (header.layer_um * MM_PER_UM).normalize() or None,
            "warnings": () if time_s or tools else facts.warnings,
        }
    )


def pictures(stream: BinaryIO) -> Iterator[bytes]:
    """The largest first: those in the G-code, the PNG (320 dots a side), the BMP (80 × 60)."""
    header = _header(stream)
    if header is None:
        return
    yield from gcode.pictures(gcode_comments.of_file(stream, header.gcode_at))
    for begin, end in ((header.png_at, header.gcode_at), (header.bmp_at, header.png_at)):
        if HEADER.size <= begin < end <= begin + MOST_PICTURE:
            stream.seek(begin)
            yield stream.read(end - begin)


def _header(stream: BinaryIO) -> Header | None:
    """None for a file that ends before its G-code begins."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    data = stream.read(HEADER.size)
    header = Header(*HEADER.unpack(data)) if len(data) == HEADER.size else None
    return header if header is not None and header.gcode_at < size else None
