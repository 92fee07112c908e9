"""What a model may weigh before anybody has sliced it. A guess between two honest ends, never a price."""

from __future__ import annotations

SHELL_MM = (0.8, 1.2)
"""Two and three lines of a 0.4 mm nozzle, about what slicers' profiles print as walls, tops and bottoms."""
INFILL = (0.10, 0.25)
SUPPORT = (0.0, 0.15)
"""Of the model's own plastic: none needed, and a usual share for overhangs."""


def weight_range_g(volume_cm3: float, area_cm2: float, density: float) -> tuple[float, float]:
    """Grams of filament, (low, high), for a `density` in g/cm³.

    shell = min(area × thickness, volume); weight = (shell + infill × (volume - shell)) × (1 + support) × density,
    once with the lower and once with the upper of SHELL_MM, INFILL and SUPPORT. Resin is printed solid: use volume
    × density there.
    """
    low, high = (
        _plastic_cm3(volume_cm3, area_cm2, shell, infill) * (1 + support) * density
        for shell, infill, support in zip(SHELL_MM, INFILL, SUPPORT, strict=True)
    )
    return low, high


def _plastic_cm3(volume_cm3: float, area_cm2: float, shell_mm: float, infill: float) -> float:
    shell = min(area_cm2 * shell_mm / 10, volume_cm3)
    return shell + infill * (volume_cm3 - shell)
