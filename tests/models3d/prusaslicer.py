"""What the real PrusaSlicer says about a model (`prusa-slicer --info`)."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SlicerInfo:
    """Of all objects of the file together; of its own projects PrusaSlicer shows each as it was before it was scaled
    and turned."""

    triangles: int
    volume_cm3: float
    sizes_mm: list[tuple[float, ...]]
    open_edges: int

    @property
    def watertight(self) -> bool:
        return not self.open_edges

    @property
    def sorted_sizes_mm(self) -> list[tuple[float, ...]]:
        return sorted(tuple(sorted(size)) for size in self.sizes_mm)


def info(path: Path) -> SlicerInfo | None:
    """None where it refuses the file."""
    done = subprocess.run(
        ["prusa-slicer", "--info", str(path)], capture_output=True, encoding="utf-8", errors="replace", timeout=120
    )
    figures = {
        name: [float(number) for number in re.findall(rf"^{name} = +([-\d.e+]+)", done.stdout, re.MULTILINE)]
        for name in ("number_of_facets", "volume", "open_edges", "size_x", "size_y", "size_z")
    }
    if not figures["number_of_facets"]:
        return None
    return SlicerInfo(
        int(sum(figures["number_of_facets"])),
        sum(figures["volume"]) / 1000,
        list(zip(figures["size_x"], figures["size_y"], figures["size_z"], strict=True)),
        int(sum(figures["open_edges"])),
    )
