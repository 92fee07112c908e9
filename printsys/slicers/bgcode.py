"""Prusa's binary G-code: a chain of blocks. We read those with metadata and pictures and stop before the moves.

https://github.com/prusa3d/libbgcode/blob/main/doc/specifications.md
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from math import prod
from typing import BinaryIO, NamedTuple

from printsys.slicers import heatshrink, plate_objects, prusa
from printsys.slicers.facts import SlicerFacts, Thumbnail
from printsys.slicers.gcode_comments import GcodeComments

MAGIC = b"GCDE"
FILE_HEADER = struct.Struct("<4sIH")
BLOCK_HEADER = struct.Struct("<HHI")
PICTURE = struct.Struct("<HHH")
FILE, GCODE, SLICER, PRINTER, PRINT, THUMBNAIL = range(6)
FORMATS = ("PNG", "JPG", "QOI")
HEATSHRINK = {2: (11, 4), 3: (12, 4)}
SILENT = "The binary G-code is damaged, cut short or says nothing of time and filament."
MOST_METADATA = 1 << 20
MOST_PICTURE = 16 << 20
MOST_BLOCKS = 64
"""Metadata and pictures come before the first block of moves."""


class Block(NamedTuple):
    """`kind` and `compression` by the specification's numbers, sizes in bytes, `at`: where the packed bytes begin."""

    kind: int
    compression: int
    unpacked_size: int
    packed_size: int
    parameters: bytes
    at: int


def blocks(stream: BinaryIO) -> Iterator[Block]:
    """Those before the moves; ends quietly where the file is cut short."""
    end = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    header = stream.read(FILE_HEADER.size)
    if len(header) < FILE_HEADER.size:
        return
    checksum_size = 4 if FILE_HEADER.unpack(header)[2] == 1 else 0
    for _ in range(MOST_BLOCKS):
        block = _block(stream)
        if block is None or block.kind == GCODE or block.at + block.packed_size > end:
            return
        yield block
        stream.seek(block.at + block.packed_size + checksum_size)


def _block(stream: BinaryIO) -> Block | None:
    header = stream.read(BLOCK_HEADER.size)
    if len(header) < BLOCK_HEADER.size:
        return None
    kind, compression, size = BLOCK_HEADER.unpack(header)
    packed = stream.read(4) if compression else header[4:]
    parameters = stream.read(PICTURE.size if kind == THUMBNAIL else 2)
    if len(packed) < 4 or kind > THUMBNAIL:
        return None
    return Block(kind, compression, size, int.from_bytes(packed, "little"), parameters, stream.tell())


def read(stream: BinaryIO) -> SlicerFacts:
    """By the reader of the text form: the metadata state the same keys."""
    metadata = sorted(blocks(stream), key=lambda block: block.kind == PRINT)
    comments = GcodeComments(b"\n".join(_comments(stream, block) for block in metadata))
    program, _, version = (comments.setting("Producer") or "").partition(" ")
    facts = prusa.read(comments, program or "PrusaSlicer", version or None)
    warnings = facts.warnings if facts.time_s or facts.tools else (SILENT,)
    objects = plate_objects.listed(comments)
    return facts.model_copy(update={"objects": objects, "thumbnails": tuple(thumbnails(stream)), "warnings": warnings})


def thumbnails(stream: BinaryIO) -> Iterator[Thumbnail]:
    for n, block in enumerate(_picture_blocks(stream), 1):
        kind, width, height = PICTURE.unpack(block.parameters)
        if kind < len(FORMATS):
            yield Thumbnail(format=FORMATS[kind], width=width, height=height, where=f"thumbnail {n}")


def pictures(stream: BinaryIO) -> Iterator[bytes]:
    """The largest first."""
    for block in sorted(_picture_blocks(stream), key=lambda block: -prod(PICTURE.unpack(block.parameters)[1:])):
        yield _unpacked(stream, block, MOST_PICTURE)


def _picture_blocks(stream: BinaryIO) -> list[Block]:
    return [block for block in blocks(stream) if block.kind == THUMBNAIL and len(block.parameters) == PICTURE.size]


def _comments(stream: BinaryIO, block: Block) -> bytes:
    """`key=value` as `; key = value`. The first pre-releases write "printer model" for "printer_model"."""
    if block.kind == THUMBNAIL:
        return b""
    pairs = (line.partition(b"=") for line in _unpacked(stream, block, MOST_METADATA).splitlines())
    return b"\n".join(
        b"; %s = %s" % (b"printer_model" if key == b"printer model" else key, value) for key, _, value in pairs
    )


def _unpacked(stream: BinaryIO, block: Block, limit: int) -> bytes:
    """b"" for a block that is damaged, or larger than such a block ever is."""
    if max(block.packed_size, block.unpacked_size) > limit:
        return b""
    stream.seek(block.at)
    packed = stream.read(block.packed_size)
    try:
        if block.compression == 0:
            return packed
        if block.compression == 1:
            return zlib.decompressobj().decompress(packed, limit)
        if block.compression in HEATSHRINK:
            return heatshrink.unpack(packed, *HEATSHRINK[block.compression], block.unpacked_size)
    except (zlib.error, ValueError):
        pass
    return b""
