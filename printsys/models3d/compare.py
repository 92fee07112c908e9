"""Whether a sliced file holds the model that the student sent: by size, volume and number of bodies. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from printsys.models3d.findings import size_text
from printsys.models3d.inspect import ModelFacts, Size

LENGTH = 0.005
VOLUME = 0.02
"""Shares by which programs differ when they weld corners, simplify or write fewer digits."""
LEAST_MM = 0.05


def compare(original: ModelFacts, sliced: ModelFacts) -> list[str]:
    """Sentences on how the models on a plate differ from the student's model; none if they do not.

    A turn by right angles counts only where nothing else differs; any other turn shows as the same volume in another
    box. Several copies of the same model count as copies.
    """
    if not original.triangles or not sliced.triangles:
        return []
    copies = _copies(original, sliced)
    if copies > 1:
        size_mm = sliced.pieces_mm[0] if sliced.pieces_mm else sliced.size_mm
        differences = [f"It holds {copies} copies of the model."]
    else:
        size_mm = sliced.size_mm
        quantity = "more" if sliced.bodies > original.bodies else "fewer"
        bodies = f"{quantity} bodies than the student's model ({sliced.bodies} instead of {original.bodies})"
        differences = [f"It holds {bodies}."] if sliced.bodies != original.bodies else []
    return differences + _compare_size(original, size_mm, sliced.volume_cm3 / copies)


def _copies(original: ModelFacts, sliced: ModelFacts) -> int:
    """How many times the plate holds the student's bodies and volume; 1 if that does not come out even."""
    if not original.bodies or not original.volume_cm3 or sliced.bodies % original.bodies:
        return 1
    times = sliced.bodies // original.bodies
    is_even = times == sliced.pieces and _is_near(sliced.volume_cm3, times * original.volume_cm3)
    return times if is_even else 1


def _compare_size(original: ModelFacts, size_mm: Size, volume_cm3: float) -> list[str]:
    if _is_same_size(original.size_mm, size_mm):
        return _compare_volume(original, volume_cm3)
    sides, new_sides = sorted(original.size_mm), sorted(size_mm)
    factors = {new / side if side else 1.0 for side, new in zip(sides, new_sides, strict=True)}
    sizes = f"{size_text(size_mm)} instead of {size_text(original.size_mm)}"
    if _is_same_size(sides, new_sides):
        return [f"It is turned on another side ({sizes}).", *_compare_volume(original, volume_cm3)]
    if max(factors) - min(factors) <= LENGTH * max(factors):
        return [f"It is scaled to {100 * max(factors):.4g} % of the student's model ({sizes})."]
    if original.volume_cm3 and _is_near(volume_cm3, original.volume_cm3):
        return [f"It is turned at an angle: the same volume, but {sizes}."]
    return [f"It has another size than the student's model ({sizes})."]


def _compare_volume(original: ModelFacts, volume_cm3: float) -> list[str]:
    """Only of closed models: the volume of an open one depends on the program that repairs it."""
    if not original.watertight or _is_near(volume_cm3, original.volume_cm3):
        return []
    volumes = f"{volume_cm3:.3g} cm³ instead of {original.volume_cm3:.3g} cm³"
    return [f"It has the size of the student's model but another volume ({volumes})."]


def _is_same_size(sides: Sequence[float], new_sides: Sequence[float]) -> bool:
    return all(abs(side - new) <= max(LEAST_MM, LENGTH * side) for side, new in zip(sides, new_sides, strict=True))


def _is_near(volume: float, expected: float) -> bool:
    return abs(volume - expected) <= VOLUME * max(volume, expected)
