"""What a slicer's file says, in one shape for every program. metadata.json keeps it as `files[].slicer`.

Millimetres, cm³ (= ml), grams, g/cm³ and whole seconds. None is "not stated": a weight of 0.00 g beside used filament
is the mark of a profile without a density, so readers make it None too.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from printsys.slicers.numerals import MOST

UNKNOWN = "unknown"
USUAL_DIAMETER_MM = Decimal("1.75")
PI = Decimal("3.14159265")
CENT = Decimal("0.01")


class Weight(NamedTuple):
    """Grams, None where nobody can know them, and sentences on how they came about."""

    grams: Decimal | None
    remarks: tuple[str, ...] = ()


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Tool(_FrozenModel):
    """One filament: the tool's number as G-code counts (T0 first), what is in it, what the print takes of it."""

    index: int
    material: str | None = None
    length_mm: Decimal | None = None
    volume_cm3: Decimal | None = None
    weight_g: Decimal | None = None
    density_g_cm3: Decimal | None = None
    diameter_mm: Decimal | None = None

    @property
    def is_used(self) -> bool:
        return bool(self.length_mm or self.volume_cm3 or self.weight_g)

    def volume(self) -> tuple[Decimal | None, bool]:
        """cm³, and whether the filament's diameter had to be assumed."""
        if self.volume_cm3:
            return self.volume_cm3, False
        if not self.length_mm:
            return None, False
        diameter = self.diameter_mm or USUAL_DIAMETER_MM
        return self.length_mm * PI / 4 * diameter * diameter / 1000, not self.diameter_mm


class Thumbnail(_FrozenModel):
    """An embedded picture. `printsys.slicers.picture` reads its bytes."""

    format: str
    width: int
    height: int
    where: str


class Plate(_FrozenModel):
    index: int
    time_s: int | None = None
    weight_g: Decimal | None = None
    tools: tuple[Tool, ...] = ()
    objects: tuple[str, ...] = ()


class Box(_FrozenModel):
    """The space that the printed objects take, in mm."""

    low: tuple[Decimal, Decimal, Decimal]
    high: tuple[Decimal, Decimal, Decimal]

    @property
    def size_mm(self) -> tuple[Decimal, Decimal, Decimal]:
        return (self.high[0] - self.low[0], self.high[1] - self.low[1], self.high[2] - self.low[2])


class PlacedModel(_FrozenModel):
    """One model on the plate, by its name in the slicer."""

    name: str
    box: Box
    volume_cm3: Decimal
    bodies: int
    triangles: int


class PlacedModels(_FrozenModel):
    """The meshes of a project as they stand on the plate, for a comparison with the student's model.

    The figures are sums over all of them; `items` lists at most the first 200.
    """

    box: Box
    volume_cm3: Decimal
    bodies: int
    triangles: int
    items: tuple[PlacedModel, ...] = ()


class SlicerFacts(_FrozenModel):
    """`grams` is the total that the file states. `is_project` is a plate that was arranged but not sliced.

    `printer_is_profile`: `printer_model` is what a person called a profile, as the file names no machine.
    `objects`: a name for each thing on the plates, copies by themselves; empty where the file does not list them all.
    """

    family: str = UNKNOWN
    program: str | None = None
    version: str | None = None
    is_project: bool = False
    time_s: int | None = None
    times: dict[str, int] = {}
    tools: tuple[Tool, ...] = ()
    grams: Decimal | None = None
    length_mm: Decimal | None = None
    volume_cm3: Decimal | None = None
    resin_ml: Decimal | None = None
    material: str | None = None
    printer_model: str | None = None
    printer_is_profile: bool = False
    nozzle_mm: Decimal | None = None
    layer_height_mm: Decimal | None = None
    plates: tuple[Plate, ...] = ()
    objects: tuple[str, ...] = ()
    box: Box | None = None
    placed: PlacedModels | None = None
    thumbnails: tuple[Thumbnail, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def maker(self) -> str:
        """As people call it: "PrusaSlicer 2.9.1"."""
        if self.program is None:
            return "an unknown program"
        return f"{self.program} {self.version.split('+')[0]}" if self.version else self.program

    def weight_g(self, densities: Mapping[str, Decimal]) -> Weight:
        """The job's grams: as the file states them, else volume × density. Never 0 where the print uses something.

        `densities` is g/cm³ by material; its first stands in for a material that it lacks, or that the file leaves out.
        """
        if self.is_project:
            return Weight(None)
        used = [tool for tool in self.tools if tool.is_used]
        weighed = [tool for tool in used if tool.weight_g]
        # Where only some tools have a weight, the total is theirs alone.
        if self.grams and len(weighed) in (0, len(used)):
            return Weight(self.grams)
        if self.resin_ml and not self.grams:
            density, source = _lab_density(self.material, densities)
            if density is None:
                return Weight(None)
            grams = _grams(self.resin_ml, density)
            remark = f"The file states {_shown(self.resin_ml)} ml: {grams} g at {density:f} g/ml ({source})."
            return Weight(grams, (remark,))
        weights = [_weigh(tool, densities) for tool in used]
        remarks = tuple(remark for weight in weights for remark in weight.remarks)
        if not weights or any(weight.grams is None for weight in weights):
            return Weight(None, remarks)
        return Weight(min(sum((weight.grams or Decimal(0) for weight in weights), Decimal(0)), MOST), remarks)


def _weigh(tool: Tool, densities: Mapping[str, Decimal]) -> Weight:
    if tool.weight_g:
        return Weight(tool.weight_g)
    volume, assumed = tool.volume()
    if volume is None:
        return Weight(None, ("The file says neither how much filament it takes nor its weight.",))
    density, source = tool.density_g_cm3, "the density in the file"
    if not density:
        density, source = _lab_density(tool.material, densities)
    unstated = f"The file states no weight for {tool.material or 'its filament'}"
    if density is None:
        advice = "and no density is known for it: please weigh the print or type the weight."
        return Weight(None, (f"{unstated}, {advice}",))
    grams = _grams(volume, density)
    product = f"{grams} g is {_shown(volume)} cm³ × {density:f} g/cm³ ({source})"
    diameter = f", for filament of {USUAL_DIAMETER_MM} mm" if assumed else ""
    return Weight(grams, (f"{unstated}: {product}{diameter}.",))


def _lab_density(material: str | None, densities: Mapping[str, Decimal]) -> tuple[Decimal | None, str]:
    by_name = {name.casefold(): (name, density) for name, density in densities.items() if density}
    if material is not None and material.casefold() in by_name:
        name, density = by_name[material.casefold()]
        return density, f"the lab's density of {name}"
    if not by_name:
        return None, ""
    name, density = next(iter(by_name.values()))
    why = f"{material} is not one of the lab's" if material else "the file names no material"
    return density, f"the lab's density of {name}, as {why}"


def _grams(volume: Decimal, density: Decimal) -> Decimal:
    return min(max((volume * density).quantize(CENT, ROUND_HALF_UP), CENT), MOST)


def _shown(value: Decimal) -> Decimal:
    return max(value.quantize(CENT, ROUND_HALF_UP), CENT)
