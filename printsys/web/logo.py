"""The lab's logo as its pages show it: drawn anew and small, whatever the file is."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import NamedTuple

from PIL import Image

KINDS = ("PNG", "JPEG", "WEBP", "GIF")
PICTURE_NAME = re.compile(r"[^/\\:]+\.(png|jpe?g|webp|gif)", re.IGNORECASE)
HEIGHT_PX, WIDTH_PX = 64, 480
"""At most: twice what the head of a page has room for, for screens with two dots a pixel."""
MOST_PIXELS = 50_000_000
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for what is no picture, or a broken one."""


class LogoUnreadable(Exception):
    """With a sentence for whoever runs the system."""


class Logo(NamedTuple):
    """A PNG, and the size in which a page shows it, in CSS pixels."""

    png: bytes
    width: int
    height: int


def read_logo(path: Path) -> Logo:
    """The picture at `path`, small. LogoUnreadable."""
    if path.suffix.lower() == ".svg":
        raise LogoUnreadable(f"{path.name} is a drawing (SVG): please save it as PNG, 128 dots high or more.")
    try:
        with Image.open(path, formats=KINDS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise LogoUnreadable(f"{path.name} is too large: {image.width} × {image.height} dots.")
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
