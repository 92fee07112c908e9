"""CTB, CBDDLP and Photon, which ChiTuBox, Lychee and UVtools write for most resin printers. 0 means "not set".

Offsets as in https://github.com/sn4k3/UVtools (ChituboxFile.cs), little-endian. Encrypted CTB (version 5) say nothing.
"""

from __future__ import annotations

import math
import os
import struct
from decimal import Decimal
from typing import BinaryIO

from printsys.slicers import usage
from printsys.slicers.facts import SlicerFacts, Thumbnail
from printsys.slicers.numerals import LONGEST_S, MOST

MAGICS = {0x12FD0019: "CBDDLP/Photon", 0x12FD0086: "CTB", 0x12FD0106: "CTB"}
HEADER = 112
LAYER_HEIGHT, LARGE_PICTURE, SMALL_PICTURE, TIME, PARAMETERS, SLICER = 0x20, 0x3C, 0x48, 0x4C, 0x54, 0x68
VOLUME, WEIGHT = 20, 24
NAME_OFFSET, NAME_SIZE = 0x1C, 0x20
MOST_NAME = 200
MOST_PIXELS = 4_000_000


def is_one(head: bytes) -> bool:
    return len(head) >= 4 and int.from_bytes(head[:4], "little") in MAGICS


def read(stream: BinaryIO) -> SlicerFacts:
    header = _at(stream, 0, HEADER)
    if len(header) < HEADER:
        return SlicerFacts(warnings=("The file is cut short.",))
    version = int.from_bytes(header[4:8], "little")
    time = _u32(header, TIME) if version > 1 else 0
    parameters = _at(stream, _u32(header, PARAMETERS), 28) if version > 1 else b""
    name = _machine_name(stream, _u32(header, SLICER)) if version > 1 else None
    time = time if 0 < time <= LONGEST_S else 0
    volume, grams = _f32(parameters, VOLUME), _f32(parameters, WEIGHT)
    warnings = () if time or volume else ("The file does not say how long it takes or what it uses.",)
    return SlicerFacts(
        family="chitubox",
        program=MAGICS[_u32(header, 0)],
        version=f"version {version}" if version < 100 else None,
        **usage.normal(time or None),
        resin_ml=volume,
        grams=grams,
        printer_model=name,
        layer_height_mm=_f32(header, LAYER_HEIGHT),
        thumbnails=tuple(_thumbnails(stream, header)),
        warnings=warnings,
    )


def _thumbnails(stream: BinaryIO, header: bytes) -> list[Thumbnail]:
    thumbnails = []
    for where, offset in (("large", LARGE_PICTURE), ("small", SMALL_PICTURE)):
        size = _at(stream, _u32(header, offset), 8)
        width, height = (_u32(size, 0), _u32(size, 4)) if len(size) == 8 else (0, 0)
        if 0 < width * height <= MOST_PIXELS:
            thumbnails.append(Thumbnail(format="RLE15", width=width, height=height, where=where))
    return thumbnails


def picture(stream: BinaryIO) -> tuple[int, int, bytes] | None:
    """Width, height and RGB of the large picture. Five bits a color; the sixth bit says that a count follows."""
    header = _at(stream, 0, HEADER)
    entry = _at(stream, _u32(header, LARGE_PICTURE), 16) if len(header) == HEADER else b""
    if len(entry) < 16:
        return None
    width, height, offset, size = struct.unpack("<4I", entry)
    if not 0 < width * height <= MOST_PIXELS or size > 4 * MOST_PIXELS:
        return None
    packed = _at(stream, offset, size)
    rgb, at = bytearray(), 0
    while at + 2 <= len(packed) and len(rgb) < 3 * width * height:
        dot = packed[at] | packed[at + 1] << 8
        at += 2
        repeats = 1
        if dot & 0x20 and at + 2 <= len(packed):
            repeats += (packed[at] | packed[at + 1] << 8) & 0x0FFF
            at += 2
        rgb += bytes(((dot >> 11 & 31) * 255 // 31, (dot >> 6 & 31) * 255 // 31, (dot & 31) * 255 // 31)) * repeats
    whole = 3 * width * height
    return width, height, bytes(rgb[:whole].ljust(whole, b"\0"))


def _machine_name(stream: BinaryIO, at: int) -> str | None:
    info = _at(stream, at, NAME_SIZE + 4) if at else b""
    if len(info) < NAME_SIZE + 4 or not 0 < _u32(info, NAME_SIZE) <= MOST_NAME:
        return None
    name = _at(stream, _u32(info, NAME_OFFSET), _u32(info, NAME_SIZE)).decode("utf-8", "replace").strip("\0 ")
    return name if name.isprintable() and name else None


def _at(stream: BinaryIO, offset: int, size: int) -> bytes:
    if offset > stream.seek(0, os.SEEK_END):
        return b""
    stream.seek(offset)
    return stream.read(size)


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _f32(data: bytes, offset: int) -> Decimal | None:
    if len(data) < offset + 4:
        return None
    value: float = struct.unpack_from("<f", data, offset)[0]
    if not math.isfinite(value) or not 0 < value < float(MOST):
        return None
    return Decimal(f"{value:.4f}").normalize() or None
