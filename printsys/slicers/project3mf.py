"""A 3MF with a slicer's settings and no G-code: a plate that was arranged, not sliced. CAD programs' 3MF are none.

PrusaSlicer keeps its settings in Metadata/Slic3r_PE.config, Bambu Studio and OrcaSlicer theirs in
Metadata/project_settings.config; modifiers and blockers are meshes, too, and are told by a second file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from printsys.formats import threemf
from printsys.formats.safezip import Package, ZipRefused
from printsys.models3d.topology import study
from printsys.slicers import usage
from printsys.slicers.ends import Ends
from printsys.slicers.facts import Box, Placed, PlacedItem, SlicerFacts
from printsys.slicers.numerals import number, settings, words

PRUSA = ("Metadata/Slic3r_PE.config", "Metadata/Slic3r.config", "Metadata/SuperSlicer.config")
BAMBU = "Metadata/project_settings.config"
CURA = "Cura/version.ini"
MODEL = "3D/3dmodel.model"
APPLICATION = re.compile(rb"""name=["']Application["'][^>]*>\s*([\w .:+-]{1,80})""")
NAMED = re.compile(r"(.+?)[ -](\d[\w.+-]*)$")
MOST_CONFIG = 8 << 20
MOST_ITEMS = 200
MOST_TRIANGLES = 3_000_000
NOWHERE = "has corners that are at no place"
TENTH = Decimal("0.001")


def read(package: Package) -> SlicerFacts | None:
    """None where no slicer has left its settings."""
    said = said_by(package)
    if said is None:
        return None
    try:
        return said.model_copy(update={"placed": place(package)})
    except (ZipRefused, threemf.ThreeMfRefused) as refusal:
        why = f"It {refusal}." if isinstance(refusal, threemf.ThreeMfRefused) else str(refusal)
        return said.model_copy(update={"warnings": (f"The models in this project could not be read. {why}",)})


def said_by(package: Package) -> SlicerFacts | None:
    """The settings, and the program that made them."""
    program, version = application(package)
    prusa = next((name for name in PRUSA if name in package), None)
    if prusa is not None:
        return _settings(Ends(package.read(prusa, MOST_CONFIG)).setting, "prusa", program or "PrusaSlicer", version)
    if BAMBU in package:
        return _settings(_json(package).get, "bambu", program or "Bambu Studio", version)
    if CURA in package or any(name.startswith("Cura/") for name in package.names):
        return SlicerFacts(family="cura", program="Cura", is_project=True)
    if program is not None and re.search("slicer|studio", program, re.IGNORECASE):
        return SlicerFacts(family="prusa", program=program, version=version, is_project=True)
    return None


def application(package: Package) -> tuple[str | None, str | None]:
    """`<metadata name="Application">PrusaSlicer-2.9.4`: program and version."""
    if MODEL not in package:
        return None, None
    found = APPLICATION.search(package.head(MODEL, 64 << 10))
    said = found.group(1).decode().strip() if found else ""
    parted = NAMED.match(said)
    program, version = parted.groups() if parted else (said or None, None)
    return {"BambuStudio": "Bambu Studio"}.get(program or "", program), version


def _settings(get: Any, family: str, program: str, version: str | None) -> SlicerFacts:
    materials = words(get("filament_type"))
    return SlicerFacts(
        family=family,
        program=program,
        version=version,
        is_project=True,
        material=usage.material((), materials) or get("sla_material_settings_id") or None,
        printer_model=get("printer_model") or get("printer_settings_id") or None,
        nozzle_mm=next(iter(settings(get("nozzle_diameter"))), None),
        layer_height_mm=number(get("layer_height")),
    )


def _json(package: Package) -> dict[str, str]:
    """Bambu's lists as Prusa writes them."""
    try:
        found = json.loads(package.read(BAMBU, MOST_CONFIG))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: ";".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in found.items()}


def place(package: Package) -> Placed | None:
    """None for a plate with nothing on it."""
    if MODEL not in package:
        return None
    model = threemf.read(package, MOST_TRIANGLES)
    meshes: dict[int, list[tuple[threemf.Points, threemf.Faces]]] = {}
    for item, points, faces in model.placed(MOST_TRIANGLES):
        if not np.isfinite(points).all():
            raise threemf.ThreeMfRefused(NOWHERE)
        meshes.setdefault(item, []).append((points * model.mm_per_unit, faces))
    items = [_item(model.objects[model.items[item].key].name, parts) for item, parts in meshes.items()]
    if not items:
        return None
    return Placed(
        box=_around(item.box for item in items),
        volume_cm3=sum((item.volume_cm3 for item in items), Decimal(0)),
        bodies=sum(item.bodies for item in items),
        triangles=sum(item.triangles for item in items),
        items=tuple(items[:MOST_ITEMS]),
    )


def _item(name: str, parts: Sequence[tuple[threemf.Points, threemf.Faces]]) -> PlacedItem:
    """One thing on the plate, in mm; each of its meshes is at least one body."""
    known = [study(points, faces, np.zeros(len(faces), np.int32)) for points, faces in parts]
    corners = np.vstack([points[faces].reshape(-1, 3) for points, faces in parts])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return PlacedItem(
        name=name,
        box=Box.model_validate({"low": [*map(_decimal, low)], "high": [*map(_decimal, high)]}),
        volume_cm3=_decimal(sum(abs(one.volume) for one in known) / 1000),
        bodies=sum(one.bodies for one in known),
        triangles=sum(len(faces) for _, faces in parts),
    )


def _decimal(value: float) -> Decimal:
    if not np.isfinite(value) or abs(value) > 1e12:
        raise threemf.ThreeMfRefused(NOWHERE)
    return Decimal(float(value)).quantize(TENTH)


def _around(boxes: Iterator[Box]) -> Box:
    known = list(boxes)
    low = [min(box.low[axis] for box in known) for axis in range(3)]
    high = [max(box.high[axis] for box in known) for axis in range(3)]
    return Box.model_validate({"low": low, "high": high})
