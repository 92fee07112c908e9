"""Colors as `#rrggbb`: whether words on them can be read, and others made of them."""

from __future__ import annotations

import re

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of the usual size."""
WHITE, BLACK = "#ffffff", "#000000"
HEX = re.compile(r"#[0-9a-fA-F]{6}")
STEPS = 50


def channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def contrast(one: str, other: str) -> float:
    """Between 1 and 21, by WCAG 2.2."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(color: str, other: str, share: float) -> str:
    """`share`: of `other`, from 0 to 1."""
    pairs = zip(channels(color), channels(other), strict=True)
    return "#" + "".join(f"{round(one + (another - one) * share):02x}" for one, another in pairs)


def readable(color: str, toward: str, *grounds: str) -> str:
    """`color`, as far on its way to `toward` as words in it need to be readable on all `grounds`."""
    steps = (mixed(color, toward, step / STEPS) for step in range(STEPS + 1))
    return next((each for each in steps if all(contrast(each, ground) >= LEAST_CONTRAST for ground in grounds)), toward)


def _luminance(color: str) -> float:
    parts = (channel / 255 for channel in channels(color))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
