"""Whether what was sliced is what the student sent: by size, volume and number of bodies. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from printsys.models3d.findings import size_text
from printsys.models3d.inspect import ModelFacts, Size

LENGTH = 0.005
VOLUME = 0.02
"""Shares that programs differ by when they weld corners, simplify or write fewer digits."""
LEAST_MM = 0.05


def compare(original: ModelFacts, other: ModelFacts) -> list[str]:
    """Sentences on how `other` (of a project or sliced 3MF) differs from the student's model; none if it does not.

    Turned by right angles is only said when nothing else differs; turned otherwise shows as the same volume in
    another box. Several copies of the same model are told as copies.
    """
    if not original.triangles or not other.triangles:
        return []
    copies = _copies(original, other)
    one = _typical(other) if copies > 1 else other.size_mm
    said = [f"It holds {copies} copies of the model."] if copies > 1 else [*_bodies(original, other)]
    return said + _size(original, one, other.volume_cm3 / copies)


def _copies(original: ModelFacts, other: ModelFacts) -> int:
    """How many times the student's bodies and volume are in the other; 1 if that does not come out even."""
    if not original.bodies or not original.volume_cm3 or other.bodies % original.bodies:
        return 1
    times = other.bodies // original.bodies
    even = times == other.pieces and _near(other.volume_cm3, times * original.volume_cm3, VOLUME)
    return times if even else 1


def _typical(other: ModelFacts) -> Size:
    return other.pieces_mm[0] if other.pieces_mm else other.size_mm


def _bodies(original: ModelFacts, other: ModelFacts) -> Sequence[str]:
    if other.bodies == original.bodies:
        return ()
    kind = "more" if other.bodies > original.bodies else "fewer"
    return (f"It holds {kind} bodies than the student's model ({other.bodies} instead of {original.bodies}).",)


def _size(original: ModelFacts, size: Size, volume_cm3: float) -> list[str]:
    if _same_size(original.size_mm, size):
        return _volume(original, volume_cm3)
    was, now = size_text(original.size_mm), size_text(size)
    factors = {_factor(a, b) for a, b in zip(sorted(original.size_mm), sorted(size), strict=True)}
    if _same_size(tuple(sorted(original.size_mm)), tuple(sorted(size))):
        return [f"It is turned on another side ({now} instead of {was}).", *_volume(original, volume_cm3)]
    if max(factors) - min(factors) <= LENGTH * max(factors):
        return [f"It is scaled to {100 * max(factors):.4g} % of the student's model ({now} instead of {was})."]
    if original.volume_cm3 and _near(volume_cm3, original.volume_cm3, VOLUME):
        return [f"It is turned at an angle: the same volume, but {now} instead of {was}."]
    return [f"It has another size than the student's model ({now} instead of {was})."]


def _volume(original: ModelFacts, volume_cm3: float) -> list[str]:
    """Only of closed models: the volume of others depends on who repairs them."""
    if not original.watertight or _near(volume_cm3, original.volume_cm3, VOLUME):
        return []
    was, now = (f"{volume:.3g} cm³" for volume in (original.volume_cm3, volume_cm3))
    return [f"It has the size of the student's model but another volume ({now} instead of {was})."]


def _factor(a: float, b: float) -> float:
    return b / a if a else 1.0


def _same_size(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) <= max(LEAST_MM, LENGTH * a) for a, b in zip(one, other, strict=True))


def _near(one: float, other: float, share: float) -> bool:
    return abs(one - other) <= share * max(one, other)
