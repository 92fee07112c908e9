"""The lab's logo as its pages show it: drawn anew and small, whatever the file is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from printsys.slicers.pictures import MOST_PIXELS, UNREADABLE

KINDS = ("PNG", "JPEG", "WEBP", "GIF")
HEIGHT_PX, WIDTH_PX = 64, 480
"""At most: twice what the head of a page has room for, for screens with two dots a pixel."""


class LogoUnreadable(Exception):
    """With a sentence for whoever runs the system."""


class Logo(NamedTuple):
    """A PNG, and the size in which a page shows it, in CSS pixels."""

    png: bytes
    width: int
    height: int


def read_logo(path: Path) -> Logo:
    """The picture at `path`, small. LogoUnreadable."""
    try:
        with Image.open(path, formats=KINDS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise LogoUnreadable(f"{path.name} is too large: {image.width} × {image.height} dots.")
            if image.mode.startswith("I"):
                raise LogoUnreadable(f"{path.name} has 16 bits for each dot: please save it with 8.")
            picture = image.convert("RGBA")
            picture.info.clear()  # a color profile may be larger than a page
    except FileNotFoundError as error:
        raise LogoUnreadable(f"{path.name} is not there: it belongs beside lab.toml, in {path.parent}.") from error
    except UNREADABLE as error:
        raise LogoUnreadable(f"{path.name} cannot be read as a PNG, JPEG, WebP or GIF picture.") from error
    picture.thumbnail((WIDTH_PX, HEIGHT_PX))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return Logo(out.getvalue(), max(1, picture.width // 2), max(1, picture.height // 2))
