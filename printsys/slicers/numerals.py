"""Numbers and times as slicers write them: `400.85, 0, 98.63`, `13,16 g`, `1d 22h 20m 41s`, `0 hours 31 minutes`.

Every figure has a bound, so that no file can state one that the rest of the system cannot hold.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

MOST = Decimal(10**9)
LONGEST_S = 10 * 366 * 86400
FIGURE = (
    r"(?<![\d.])(?<!\d,)(?<!\d[eE])(?<!\d[eE][+-])"  # not in the middle of another number
    r"-?\d{1,12}+(?:[.,]\d{1,30}+)?+(?:[eE][+-]?\d{1,2}+)?+(?![.,]?\d|[eE][+-]?\d)"
)
NUMBER = re.compile(FIGURE)
QUANTITY = re.compile(rf"({FIGURE})\s?([A-Za-z]{{1,4}}\^?\d?)(?![\w.])")
PART = re.compile(rf"({FIGURE})\s*(days?|hours?|minutes?|min|seconds?|sec|[dhms])(?![a-z])", re.IGNORECASE)
SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def number(text: str | None) -> Decimal | None:
    """The first number in `text`, decimal point or comma; None without one, or where it is below 0 or above `MOST`."""
    value = signed(text)
    return value if value is not None and value >= 0 else None


def signed(text: str | None) -> Decimal | None:
    """As `number`, but also down to `-MOST`: a place on the plate."""
    match = NUMBER.search(text or "")
    value = Decimal(match.group().replace(",", ".")) if match else None
    return value if value is not None and abs(value) <= MOST else None


def quantities(text: str | None, unit: str) -> list[Decimal | None]:
    """The figures of this unit in `1482.1mm, 34.4mm (3.6cm3)` or `1,205m`; "cm^3" counts as "cm3"."""
    pairs = QUANTITY.findall(text or "")
    return [number(figure) for figure, written in pairs if written.replace("^", "") == unit]


def numbers(text: str | None) -> list[Decimal | None]:
    """A list of figures. Slicers part them by ", "; a bare comma is a decimal comma unless the figures have points."""
    if not text:
        return []
    may_have_decimal_commas = "." not in text
    if may_have_decimal_commas and text.count(",") == 1 and ", " not in text:
        return [number(text)]
    separator = r";|,\s" if may_have_decimal_commas and ", " in text else r"[;,]"
    return [number(part) for part in re.split(separator, text)]


def settings(text: str | None) -> list[Decimal | None]:
    """A list in a slicer's configuration: always with points, parted by bare commas."""
    return [number(part) for part in re.split(r"[;,]", text)] if text else []


def words(text: str | None) -> list[str]:
    """`PLA;PETG`, `PLA,PETG`, `"PLA";"PETG"` or `['PLA', 'PETG']`; empty members keep their place."""
    return [part.strip(" '\"") for part in re.split(r"[;,]", text.strip(" []"))] if text else []


def seconds(value: Decimal | None) -> int | None:
    """Whole seconds; None for 0, and for more than a print can take."""
    if value is None:
        return None
    whole = int(value.quantize(Decimal(1), ROUND_HALF_UP))
    return whole if 0 < whole <= LONGEST_S else None


def duration(text: str | None) -> int | None:
    """Seconds of `1d 22h 20m 41s`, any part of which may be missing, or of `7.94 minutes`; None without a part."""
    parts = PART.findall(text or "")
    if not parts:
        return None
    return seconds(sum(((number(n) or Decimal(0)) * SECONDS[unit[0].lower()] for n, unit in parts), Decimal(0)))
