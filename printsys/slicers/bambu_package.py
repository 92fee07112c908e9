"""Bambu Studio's and OrcaSlicer's `.gcode.3mf`: one or more sliced plates in a 3MF package.

Metadata/slice_info.config states seconds, grams and filament of each `<plate>`; the G-code's own header adds what is
missing there. The job is all plates with G-code together: the file also states what it does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from printsys.formats.safezip import Package
from printsys.slicers import gcode, gcode_comments, plate_objects, project3mf, usage, xmltext
from printsys.slicers.facts import UNKNOWN, Plate, SlicerFacts, Tool
from printsys.slicers.numerals import number, seconds

INFO = "Metadata/slice_info.config"
PLATE = re.compile(r"/?Metadata/plate_(\d{1,4})\.gcode", re.IGNORECASE)
MOST_INFO = 8 << 20
MOST_PLATES = 64
METRE_MM = 1000


def plates_of(package: Package) -> list[tuple[int, str]]:
    """Number and part of each sliced plate."""
    matches = (match for name in package.names if (match := PLATE.fullmatch(name)))
    return sorted((int(match.group(1)), match.string) for match in matches)[:MOST_PLATES]


def read(package: Package) -> SlicerFacts:
    settings = project3mf.read_settings(package) or SlicerFacts()
    headers: dict[int, SlicerFacts] = {}
    for index, name in plates_of(package):
        with package.open(name) as stream:
            headers[index] = gcode.read(gcode_comments.of_start(stream))
    header = next((facts for facts in headers.values() if facts.family != UNKNOWN), SlicerFacts())
    stated = {plate.index: plate for plate in _stated_plates(package)}
    plates = tuple(_merge(index, stated.get(index), own_header) for index, own_header in headers.items())
    tools = _sum_tools(plates)
    times = [plate.time_s or 0 for plate in plates]
    return SlicerFacts(
        family="bambu",
        **_first_stated(("program", "version"), header, settings),
        **_first_stated(("printer_model", "nozzle_mm", "layer_height_mm"), settings, header),
        printer_is_profile=(settings if settings.printer_model else header).printer_is_profile,
        **usage.normal(sum(times) if times and all(times) else None),
        **usage.totals(tools) | {"grams": usage.total(plate.weight_g for plate in plates)},
        material=usage.material(tools) or header.material or settings.material,
        tools=tools,
        plates=plates,
        objects=tuple(name for plate in plates for name in plate.objects) if all(p.objects for p in plates) else (),
        warnings=tuple(_warnings(plates, sorted({*stated} - {*headers}))),
    )


def _first_stated(names: Sequence[str], *sources: SlicerFacts) -> dict[str, Any]:
    return {name: next((value for facts in sources if (value := getattr(facts, name))), None) for name in names}


def _stated_plates(package: Package) -> Iterator[Plate]:
    """What slice_info.config says of each plate."""
    if INFO not in package:
        return
    for n, element in enumerate(xmltext.parse(package.read(INFO, MOST_INFO)).iter("plate"), 1):
        metadata = {entry.get("key", ""): entry.get("value", "") for entry in element.iter("metadata")}
        index = number(metadata.get("index"))
        yield Plate(
            index=int(index) if index else n,
            time_s=seconds(number(metadata.get("prediction"))),
            weight_g=number(metadata.get("weight")) or None,
            tools=tuple(_filament(filament) for filament in element.iter("filament")),
            objects=plate_objects.without_towers([model.get("name") or "" for model in element.iter("object")])[
                : plate_objects.MOST
            ],
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


def _merge(index: int, stated: Plate | None, header: SlicerFacts) -> Plate:
    """Time and weight as the package states them; lengths, volumes and densities as the G-code does: they are finer."""
    if stated is None:
        return Plate(
            index=index, time_s=header.time_s, weight_g=header.grams, tools=header.tools, objects=header.objects
        )
    by_index = {tool.index: tool for tool in stated.tools}
    finer = tuple(
        tool.model_copy(
            update={
                "material": by_index[tool.index].material or tool.material,
                "weight_g": by_index[tool.index].weight_g or tool.weight_g,
            }
        )
        for tool in header.tools
        if tool.index in by_index
    )
    return stated.model_copy(
        update={
            "time_s": stated.time_s or header.time_s,
            "weight_g": stated.weight_g or header.grams,
            "tools": finer if finer and len(finer) == len(by_index) else stated.tools or header.tools,
            "objects": stated.objects or header.objects,
        }
    )


def _sum_tools(plates: tuple[Plate, ...]) -> tuple[Tool, ...]:
    """Each filament's use on all plates."""
    by_index: dict[int, list[Tool]] = {}
    for plate in plates:
        for tool in plate.tools:
            by_index.setdefault(tool.index, []).append(tool)
    return tuple(
        tools[0].model_copy(
            update={
                "length_mm": usage.total(tool.length_mm for tool in tools),
                "volume_cm3": usage.total(tool.volume_cm3 for tool in tools),
                "weight_g": usage.total(tool.weight_g for tool in tools),
            }
        )
        for _, tools in sorted(by_index.items())
        if any(tool.is_used for tool in tools)
    )


def _warnings(plates: tuple[Plate, ...], unsliced: Sequence[int]) -> Iterator[str]:
    timed = [plate for plate in plates if plate.time_s]
    if len(plates) > 1:
        yield f"The file holds {len(plates)} plates; time and filament are those of all of them together."
    if unsliced:
        names = ", ".join(map(str, unsliced[:MOST_PLATES]))
        yield f"Not in the file, and not counted, is the G-code of plate {names}."
    for plate in plates:
        for warning in usage.disagreement(plate.weight_g, usage.total(tool.weight_g for tool in plate.tools)):
            yield f"Plate {plate.index}: {warning}"
    if timed and len(timed) < len(plates):
        yield "Not every plate in the file says how long it takes."
    if not timed and not any(plate.tools for plate in plates):
        yield "The file holds G-code, but does not say how long it takes or what it uses."
