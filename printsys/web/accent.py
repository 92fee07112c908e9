"""The lab's own color, in place of the one in static/css/site.css."""

from __future__ import annotations

from collections.abc import Mapping

from printsys.config.colors import BLACK, WHITE, channels, mixed, readable

LIGHT_PAGE = "#f6f7f8"
DARK_PAGE, DARK_SURFACE = "#14181c", "#1c2126"
"""As site.css has them."""


def style_sheet(accent: str) -> str:
    """Words and lines in the color are as dark, or in the dark theme as light, as they must be to be read."""
    soft, dark_soft = mixed(WHITE, accent, 0.1), mixed(DARK_PAGE, accent, 0.2)
    text, dark_text = readable(accent, BLACK, soft, LIGHT_PAGE), readable(accent, WHITE, dark_soft, DARK_SURFACE)
    fills = {
        "--brand": accent,
        "--brand-strong": mixed(accent, BLACK, 0.2),
        "--brand-pressed": mixed(accent, BLACK, 0.35),
    }
    light = fills | _words(text, mixed(text, BLACK, 0.2), soft)
    dark = fills | _words(dark_text, mixed(dark_text, WHITE, 0.3), dark_soft)
    return _rule(":root, [data-bs-theme=light]", light) + _rule("[data-bs-theme=dark]", dark)


def _words(text: str, strong: str, soft: str) -> dict[str, str]:
    return {
        "--accent": text,
        "--accent-strong": strong,
        "--accent-soft": soft,
        "--bs-link-color-rgb": ", ".join(map(str, channels(text))),
        "--bs-link-hover-color-rgb": ", ".join(map(str, channels(strong))),
    }


def _rule(selector: str, properties: Mapping[str, str]) -> str:
    return f"{selector} {{ {' '.join(f'{name}: {value};' for name, value in properties.items())} }}\n"
