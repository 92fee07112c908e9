"""Numbers as people write them in a sentence."""

from __future__ import annotations

from decimal import Decimal


def counted(number: int | Decimal, one: str, several: str = "") -> str:
    """`1 hour`, `3.5 hours`, `2,000 files`; `several`: where it is not `one` with an s."""
    figure = f"{number:,}" if isinstance(number, int) else f"{number.normalize():,f}"
    return f"{figure} {one if number == 1 else several or one + 's'}"


def is_typed(phrase: str, typed: str) -> bool:
    """Whether a person typed the phrase. Capitals, more spaces and the commas of a number do not count."""
    first, second = (" ".join(text.replace(",", "").split()).casefold() for text in (phrase, typed))
    return first == second
