"""Embedded previews of any format, redrawn as PNG: we serve no stranger's bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from printsys.formats.safezip import ZipRefused, open_package
from printsys.slicers import bgcode, chitubox, closed, gcode, gcode_comments, gx, ufp, zip_pictures

KINDS = ("PNG", "JPEG", "QOI", "BMP")
MOST_PIXELS = 16_000_000
ICON = 40
"""Pictures with fewer dots a side are marks for a printer's display: they do not show the print."""
UNREADABLE = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    Image.DecompressionBombError,
)
ZIP = b"PK\x03\x04"


def largest(stream: BinaryIO, name: str) -> bytes | None:
    """A PNG, or None."""
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(bgcode.MAGIC):
        return _first(bgcode.pictures(stream))
    if gx.is_one(head):
        return _first(gx.pictures(stream))
    if chitubox.is_one(head):
        rows = chitubox.picture(stream)
        return _to_png(Image.frombytes("RGB", rows[:2], rows[2])) if rows else None
    if closed.is_one(name):
        return _first(closed.pictures(stream))
    if head.startswith(ZIP):
        return _of_package(stream)
    return _first(gcode.pictures(gcode_comments.of_file(stream)))


def _of_package(stream: BinaryIO) -> bytes | None:
    try:
        with open_package(stream) as package:
            shown = _first(zip_pictures.pictures(package))
            part = ufp.gcode_part(package) if shown is None else None
            if part is None:
                return shown
            with package.open(part) as text:
                return _first(gcode.pictures(gcode_comments.of_start(text)))
    except ZipRefused:
        return None


def _first(candidates: Iterable[bytes]) -> bytes | None:
    return next((shown for candidate in candidates if (shown := as_png(candidate))), None)


def as_png(data: bytes) -> bytes | None:
    """None for a picture of a kind that no slicer embeds, a damaged or empty one, and one of an unfit size."""
    try:
        with Image.open(io.BytesIO(data), formats=KINDS) as image:
            if image.width * image.height > MOST_PIXELS or max(image.size) < ICON:
                return None
            dots = image.convert("RGBA")
            dots.info.clear()  # a color profile, say: of a stranger's bytes nothing but the dots
            is_empty = dots.getchannel("A").getbbox() is None  # every dot is transparent
            return None if is_empty else _to_png(dots)
    except UNREADABLE:
        return None


def _to_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
