"""Bambu Studio's and OrcaSlicer's `.gcode.3mf`: one or more sliced plates in a 3MF package.

Metadata/slice_info.config states seconds, grams and filament of each `<plate>`; the G-code's own header adds what it
lacks. The job is all plates together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from printsys.formats.safezip import Package
from printsys.slicers import ends, gcode, project3mf, usage, xmltext
from printsys.slicers.facts import UNKNOWN, Plate, SlicerFacts, Tool
from printsys.slicers.numerals import number, seconds

INFO = "Metadata/slice_info.config"
PLATE = re.compile(r"/?Metadata/plate_(\d{1,4})\.gcode", re.IGNORECASE)
MOST_INFO = 8 << 20
MOST_PLATES = 64
METRE_MM = 1000


def plates_of(package: Package) -> list[tuple[int, str]]:
    """Number and part of each sliced plate."""
    found = ((PLATE.fullmatch(name), name) for name in package.names)
    return sorted((int(match.group(1)), name) for match, name in found if match)[:MOST_PLATES]


def read(package: Package) -> SlicerFacts:
    settings = project3mf.said_by(package) or SlicerFacts()
    stated = {plate.index: plate for plate in _stated(package)}
    by_head = {index: _by_head(package, name) for index, name in plates_of(package)}
    plates = tuple(
        _plate(index, stated.get(index), by_head.get(index)) for index in sorted({*stated, *by_head})[:MOST_PLATES]
    )
    first = next((facts for facts in by_head.values() if facts.family != UNKNOWN), SlicerFacts())
    tools = _together(plates)
    times = [plate.time_s for plate in plates]
    time = sum(t for t in times if t) or None if all(times) else None
    return SlicerFacts(
        family="bambu",
        program=first.program or settings.program,
        version=first.version or settings.version,
        **usage.normal(time),
        tools=tools,
        material=usage.material(tools) or first.material or settings.material,
        printer_model=settings.printer_model or first.printer_model,
        nozzle_mm=settings.nozzle_mm or first.nozzle_mm,
        layer_height_mm=settings.layer_height_mm or first.layer_height_mm,
        plates=plates,
        objects=tuple(name for plate in plates for name in plate.objects),
        warnings=tuple(_warnings(plates, times)),
        length_mm=usage.total(tool.length_mm for tool in tools),
        volume_cm3=usage.total(tool.volume_cm3 for tool in tools),
        grams=usage.total(plate.weight_g for plate in plates),
    )


def _stated(package: Package) -> Iterator[Plate]:
    if INFO not in package:
        return
    for n, element in enumerate(xmltext.parse(package.read(INFO, MOST_INFO)).iter("plate"), 1):
        said = {m.get("key", ""): m.get("value", "") for m in element.iter("metadata")}
        index = number(said.get("index"))
        yield Plate(
            index=int(index) if index else n,
            time_s=seconds(number(said.get("prediction"))),
            weight_g=number(said.get("weight")) or None,
            tools=tuple(_filament(filament) for filament in element.iter("filament")),
            objects=tuple((thing.get("name") or "")[:200] for thing in element.iter("object"))[:200],
        )


def _filament(element: etree._Element) -> Tool:
    length = number(element.get("used_m"))
    index = number(element.get("id"))
    return Tool(
        index=max(int(index or 1) - 1, 0),
        material=(element.get("type") or "")[:80] or None,
        length_mm=length * METRE_MM if length else None,
        weight_g=number(element.get("used_g")) or None,
    )


def _by_head(package: Package, name: str) -> SlicerFacts:
    """What the plate's G-code says at its beginning."""
    with package.open(name) as stream:
        return gcode.read(ends.of_start(stream))


def _plate(index: int, stated: Plate | None, head: SlicerFacts | None) -> Plate:
    """The package's word for time and weight; the G-code's for the finer lengths, volumes and densities."""
    if head is None:
        return stated or Plate(index=index)
    if stated is None:
        return Plate(index=index, time_s=head.time_s, weight_g=head.grams, tools=head.tools)
    weights = {tool.index: tool for tool in stated.tools}
    tools = tuple(_finer(tool, weights[tool.index]) for tool in head.tools if tool.index in weights)
    return stated.model_copy(
        update={
            "time_s": stated.time_s or head.time_s,
            "weight_g": stated.weight_g or head.grams,
            "tools": tools if len(tools) == len(weights) and tools else stated.tools or head.tools,
        }
    )


def _finer(tool: Tool, stated: Tool) -> Tool:
    return tool.model_copy(
        update={"material": stated.material or tool.material, "weight_g": stated.weight_g or tool.weight_g}
    )


def _together(plates: tuple[Plate, ...]) -> tuple[Tool, ...]:
    """Each filament's use on all plates."""
    by_index: dict[int, list[Tool]] = {}
    for plate in plates:
        for tool in plate.tools:
            by_index.setdefault(tool.index, []).append(tool)
    return tuple(
        same[0].model_copy(
            update={
                "length_mm": usage.total(tool.length_mm for tool in same),
                "volume_cm3": usage.total(tool.volume_cm3 for tool in same),
                "weight_g": usage.total(tool.weight_g for tool in same),
            }
        )
        for _, same in sorted(by_index.items())
        if any(tool.is_used for tool in same)
    )


def _warnings(plates: tuple[Plate, ...], times: list[int | None]) -> Iterator[str]:
    if len(plates) > 1:
        yield f"The file holds {len(plates)} plates; time and filament are those of all of them together."
    if any(times) and not all(times):
        yield "Not every plate in the file says how long it takes."
    if not any(times) and not any(plate.tools for plate in plates):
        yield "The file holds G-code, but does not say how long it takes or what it uses."
