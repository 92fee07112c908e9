"""What a model may weigh before anybody has sliced it: a guess, from the least to the most, never a price."""

from __future__ import annotations

SHELL_MM = (0.8, 1.2)
"""Two and three lines of a 0.4 mm nozzle, about what slicers' profiles print as walls, tops and bottoms."""
INFILL = (0.10, 0.25)
SUPPORT = (0.0, 0.15)
"""Of the model's own plastic: no support at all, and a usual share for overhangs."""


def weight_range_g(volume_cm3: float, area_cm2: float, density: float) -> tuple[float, float]:
    """Grams of filament, (low, high), for a `density` in g/cm³.

    shell = min(area × thickness, volume); weight = (shell + infill × (volume - shell)) × (1 + support) × density,
    once with the lower and once with the upper of SHELL_MM, INFILL and SUPPORT. Resin prints are solid: use volume ×
    density there.
    """
    shells = (min(area_cm2 * shell_mm / 10, volume_cm3) for shell_mm in SHELL_MM)
    low, high = (
        (shell + infill * (volume_cm3 - shell)) * (1 + support) * density
        for shell, infill, support in zip(shells, INFILL, SUPPORT, strict=True)
    )
    return low, high
