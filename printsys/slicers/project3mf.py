"""A 3MF with a slicer's settings and no G-code: a plate that somebody arranged and did not slice.

PrusaSlicer keeps its settings in Metadata/Slic3r_PE.config, Bambu Studio and OrcaSlicer theirs in
Metadata/project_settings.config. Modifiers and blockers are meshes, too; a second file says which those are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from printsys.formats import threemf
from printsys.formats.safezip import Package, ZipRefused
from printsys.models3d.topology import study
from printsys.slicers import usage
from printsys.slicers.facts import Box, PlacedModel, PlacedModels, SlicerFacts
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import number, settings, words

PRUSA = ("Metadata/Slic3r_PE.config", "Metadata/Slic3r.config", "Metadata/SuperSlicer.config")
BAMBU = "Metadata/project_settings.config"
CURA = "Cura/version.ini"
MODEL = "3D/3dmodel.model"
APPLICATION = re.compile(rb"""name=["']Application["'][^>]*>\s*([\w .:+-]{1,80})""")
VERSIONED = re.compile(r"(.+?)[ -](\d[\w.+-]*)$")
MOST_CONFIG = 8 << 20
MOST_ITEMS = 200
MOST_TRIANGLES = 3_000_000
NOWHERE = "has corners that are at no place"
THOUSANDTH = Decimal("0.001")


def read(package: Package) -> SlicerFacts | None:
    """None where no slicer has left its settings."""
    facts = read_settings(package)
    if facts is None:
        return None
    try:
        return facts.model_copy(update={"placed": measure_plate(package)})
    except (ZipRefused, threemf.ThreeMfRefused) as refusal:
        reason = f"It {refusal}." if isinstance(refusal, threemf.ThreeMfRefused) else str(refusal)
        return facts.model_copy(update={"warnings": (f"The models in this project could not be read. {reason}",)})


def read_settings(package: Package) -> SlicerFacts | None:
    """The settings, and the program that made them."""
    program, version = application(package)
    prusa = next((name for name in PRUSA if name in package), None)
    if prusa is not None:
        return _settings(
            GcodeComments(package.read(prusa, MOST_CONFIG)).setting, "prusa", program or "PrusaSlicer", version
        )
    if BAMBU in package:
        return _settings(_bambu_settings(package).get, "bambu", program or "Bambu Studio", version)
    if CURA in package or any(name.startswith("Cura/") for name in package.names):
        return SlicerFacts(family="cura", program="Cura", is_project=True)
    if program is not None and re.search("slicer|studio", program, re.IGNORECASE):
        return SlicerFacts(family="prusa", program=program, version=version, is_project=True)
    return None


def application(package: Package) -> tuple[str | None, str | None]:
    """`<metadata name="Application">PrusaSlicer-2.9.4`: program and version."""
    if MODEL not in package:
        return None, None
    match = APPLICATION.search(package.head(MODEL, 64 << 10))
    text = match.group(1).decode().strip() if match else ""
    versioned = VERSIONED.match(text)
    program, version = versioned.groups() if versioned else (text or None, None)
    return {"BambuStudio": "Bambu Studio"}.get(program or "", program), version


def _settings(get: Any, family: str, program: str, version: str | None) -> SlicerFacts:
    materials = words(get("filament_type"))
    return SlicerFacts(
        family=family,
        program=program,
        version=version,
        is_project=True,
        material=usage.material((), materials) or get("sla_material_settings_id") or None,
        **usage.printer(get("printer_model"), get("printer_settings_id")),
        nozzle_mm=next(iter(settings(get("nozzle_diameter"))), None),
        layer_height_mm=number(get("layer_height")),
    )


def _bambu_settings(package: Package) -> dict[str, str]:
    """Lists as Prusa writes them, parted by semicolons."""
    try:
        values = json.loads(package.read(BAMBU, MOST_CONFIG))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {key: ";".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in values.items()}


def measure_plate(package: Package) -> PlacedModels | None:
    """None for an empty plate."""
    if MODEL not in package:
        return None
    model = threemf.read(package, MOST_TRIANGLES)
    meshes: dict[int, list[tuple[threemf.Points, threemf.Faces]]] = {}
    for item, points, faces in model.placed(MOST_TRIANGLES):
        if not np.isfinite(points).all():
            raise threemf.ThreeMfRefused(NOWHERE)
        meshes.setdefault(item, []).append((points * model.mm_per_unit, faces))
    items = [_measure(model.objects[model.items[item].key].name, parts) for item, parts in meshes.items()]
    if not items:
        return None
    low = [min(item.box.low[axis] for item in items) for axis in range(3)]
    high = [max(item.box.high[axis] for item in items) for axis in range(3)]
    return PlacedModels(
        box=Box.model_validate({"low": low, "high": high}),
        volume_cm3=sum((item.volume_cm3 for item in items), Decimal(0)),
        bodies=sum(item.bodies for item in items),
        triangles=sum(item.triangles for item in items),
        items=tuple(items[:MOST_ITEMS]),
    )


def _measure(name: str, parts: Sequence[tuple[threemf.Points, threemf.Faces]]) -> PlacedModel:
    """In mm; each of its meshes is at least one body."""
    topologies = [study(points, faces, np.zeros(len(faces), np.int32)) for points, faces in parts]
    corners = np.vstack([points[faces].reshape(-1, 3) for points, faces in parts])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return PlacedModel(
        name=name,
        box=Box.model_validate({"low": [*map(_decimal, low)], "high": [*map(_decimal, high)]}),
        volume_cm3=_decimal(sum(abs(topology.volume) for topology in topologies) / 1000),
        bodies=sum(topology.bodies for topology in topologies),
        triangles=sum(len(faces) for _, faces in parts),
    )


def _decimal(value: float) -> Decimal:
    if not np.isfinite(value) or abs(value) > 1e12:
        raise threemf.ThreeMfRefused(NOWHERE)
    return Decimal(float(value)).quantize(THOUSANDTH)
