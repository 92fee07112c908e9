"""Whether a project still holds the student's model: in words, for whoever approves.

A model may be turned and copied as one likes, which changes its box; its volume and its bodies stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from printsys.slicers.facts import Placed

ALIKE = 0.02
"""Meshes differ by as much where one program repairs or rounds what another wrote."""


def differences(
    placed: Placed, *, volume_cm3: Decimal | None, bodies: int | None, size_mm: Sequence[Decimal] | None
) -> Iterator[str]:
    """Sentences on what differs from the original, whose figures are given as far as they are known."""
    copies = _copies(placed, volume_cm3, bodies)
    if copies > 1:
        yield f"The project holds {copies} copies of the student's model."
    elif bodies and placed.bodies != bodies:
        yield f"The project holds {_count(placed.bodies)}; the student's model has {_count(bodies)}."
        return
    if volume_cm3 and placed.volume_cm3:
        yield from _other_volume(placed.volume_cm3 / copies, volume_cm3)
    elif size_mm and copies == 1:
        yield from _other_size(placed.box.size_mm, size_mm)


def _copies(placed: Placed, volume_cm3: Decimal | None, bodies: int | None) -> int:
    """1 where the project is no whole number of originals."""
    if not bodies or placed.bodies % bodies:
        return 1
    copies = placed.bodies // bodies
    known = [item.volume_cm3 for item in placed.items] or [placed.volume_cm3 / max(copies, 1)]
    alike = volume_cm3 and all(_near(volume, volume_cm3) for volume in known)
    return max(copies, 1) if alike else 1


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(float(one) - float(other)) <= ALIKE * float(other)


def _other_volume(here: Decimal, original: Decimal) -> Iterator[str]:
    if _near(here, original):
        return
    percent = round(100 * (float(here) / float(original)) ** (1 / 3))
    scaled = f", as if scaled to {percent} %" if percent != 100 else ""
    yield f"The model in the project has {_short(here)} cm³, the student's {_short(original)} cm³{scaled}."


def _other_size(here: Sequence[Decimal], original: Sequence[Decimal]) -> Iterator[str]:
    """Of meshes without a volume: the sides, whichever way it lies."""
    pairs = zip(sorted(here), sorted(original), strict=True)
    if not all(_near(one, other) for one, other in pairs):
        sides = (" × ".join(_short(side) for side in size) for size in (here, original))
        yield "The model in the project is {} mm, the student's {} mm.".format(*sides)


def _count(bodies: int) -> str:
    return f"{bodies} {'body' if bodies == 1 else 'bodies'}"


def _short(value: Decimal) -> str:
    return f"{float(value):.3g}" if value < 100 else f"{value:.0f}"
