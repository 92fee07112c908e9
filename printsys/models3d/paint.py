"""The colors of pictures: what a lab's filament and resin look like, in light and in shade."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

Rgb = npt.NDArray[np.float32]

PLAIN = "#7fa6cc"
"""Of a model whose color is not known, or is none that has a look of its own."""
LOOKS = {
    "true red": "#d32f2f", "true orange": "#f57c00", "light orange": "#ffb266", "true yellow": "#fdd835",
    "dark yellow": "#c9a227", "lime green": "#9ccc3c", "green": "#2e9e44", "forest green": "#1b5e20",
    "blue": "#1e63c9", "electric blue": "#1599ff", "midnight purple": "#4b3080", "light purple": "#b79ae0",
    "clear": "#c9d6de", "true white": "#f4f4f2", "white": "#f4f4f2", "gray": "#8a9097", "true black": "#2b2e32",
    "black": "#2b2e32", "brown": "#6d4427", "copper": "#b8693a", "bronze": "#8c6a3a", "true silver": "#c0c5cb",
    "true gold": "#cfa62e", "glow in the dark": "#d9f7b5", "color changing": "#9a78c8",
}  # fmt: skip
WORDS = {
    "red": "true red", "orange": "true orange", "yellow": "true yellow", "green": "green", "blue": "blue",
    "purple": "light purple", "violet": "light purple", "pink": "light purple", "white": "white", "gray": "gray",
    "grey": "gray", "black": "black", "brown": "brown", "silver": "true silver", "gold": "true gold",
    "clear": "clear", "transparent": "clear",
}  # fmt: skip
"""For a color that the lab added: by the last of these words in its name."""
DARKEST, BRIGHTEST = 26.0, 230.0
"""A picture keeps clear of black and white, so that it suits a light page and a dark one."""
LEAST_BRIGHT = 112.0
"""Of the brightest channel in full light: a black print shows its shape, too."""


MOST_OPAQUE_GROUND = 168.0
"""Of 255: what is more opaque is the model."""
BLUISH = 0.15
"""The plain color is, in light and in shade; white rims and red edges are not."""
STYLE = 2
"""How pictures are drawn; a new style has a new number, so that old pictures are drawn again."""
COMMENT = "printsys"
HEAD = 200


class Paint(NamedTuple):
    """Red, green, blue (0 to 255) in full shade, in full light, and of lines."""

    shade: Rgb
    bright: Rgb
    line: Rgb


def look_of(color: str | None) -> str:
    """`#rrggbb` of a color by the name that the lab gives it."""
    name = (color or "").casefold().strip()
    if name in LOOKS:
        return LOOKS[name]
    word = next((word for word in reversed(name.replace("-", " ").split()) if word in WORDS), None)
    return LOOKS[WORDS[word]] if word is not None else PLAIN


def mark_of(color: str | None) -> str:
    """What a picture in this color bears as its comment: where it bears another, it is an old one."""
    return f"{STYLE} {look_of(color)}"


def has_mark(head: bytes, color: str | None) -> bool:
    """`head`: the first HEAD bytes of a PNG."""
    return COMMENT.encode() + b"\0" + mark_of(color).encode() in head


def marked(png: bytes, color: str | None) -> bytes:
    """The same picture, as if it had been drawn in this color and today's style."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.save(out, "PNG", pnginfo=comment(color))
    return out.getvalue()


def recolored(png: bytes, color: str) -> bytes:
    """A picture that was drawn in the plain color, as if it had been drawn in this one: much sooner than drawing it.

    What is clear, the ground and the red of open edges stay as they are, and so does a picture in another color.
    """
    if not has_mark(png[:HEAD], None):
        return png
    plain, paint = paint_of(None), paint_of(color)
    with Image.open(io.BytesIO(png)) as image:
        pixels = np.array(image.convert("RGBA"), np.float32)
    light = _shares(pixels[..., :3], plain.shade, plain.bright)
    to_line = np.clip(-light / max(-float(_shares(plain.line, plain.shade, plain.bright)), 1e-6), 0, 1)[..., None]
    upwards = paint.shade + (paint.bright - paint.shade) * np.clip(light, 0, 1)[..., None]
    colors = upwards + (paint.line - upwards) * to_line
    red, blue = pixels[..., 0], pixels[..., 2]
    is_model = np.clip((pixels[..., 3] - MOST_OPAQUE_GROUND) / (255 - MOST_OPAQUE_GROUND), 0, 1)
    is_model = (is_model * (blue - red > BLUISH * blue))[..., None]
    pixels[..., :3] += (colors - pixels[..., :3]) * is_model
    out = io.BytesIO()
    drawn = Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8), "RGBA")
    drawn.save(out, "PNG", compress_level=4, pnginfo=comment(color))
    return out.getvalue()


def _shares(colors: Rgb, shade: Rgb, bright: Rgb) -> Rgb:
    """How far colors lie from full shade (0) to full light (1)."""
    shares: Rgb = (colors.mean(axis=-1) - shade.mean()) / (bright.mean() - shade.mean())
    return shares


def comment(color: str | None) -> PngInfo:
    comments = PngInfo()
    comments.add_text(COMMENT, mark_of(color))
    return comments


def paint_of(color: str | None) -> Paint:
    """Lines are dark, on a dark color light."""
    look = look_of(color)
    base = np.array([int(look[at : at + 2], 16) for at in (1, 3, 5)], np.float32)
    bright = base * min(1.0, BRIGHTEST / float(base.max()))
    if float(bright.max()) < LEAST_BRIGHT:
        bright = bright + (LEAST_BRIGHT - float(bright.max()))
    shade = np.maximum(bright * 0.34, DARKEST)
    is_dark = float(bright.mean()) < 130 and float(bright.max()) < 150
    line = np.minimum(bright + 60, BRIGHTEST) if is_dark else shade * 0.55 + 8
    return Paint(shade.astype(np.float32), bright.astype(np.float32), line.astype(np.float32))
