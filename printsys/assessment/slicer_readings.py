"""What a slicer's file says in the lab's terms: its own materials, densities and printers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pydantic import ValidationError

from printsys.config.lab import Lab, Method, Printer
from printsys.domain.estimates import SlicerReading
from printsys.domain.job import FileRecord, Job
from printsys.slicers import SlicerFacts

HOUR_S = 3600


def read_slicer_facts(record: FileRecord) -> SlicerFacts | None:
    """The facts that the record keeps; None without any, or where another version of the program kept others."""
    try:
        return SlicerFacts.model_validate(record.slicer) if record.slicer is not None else None
    except ValidationError:
        return None


def readings_of(job: Job, lab: Lab) -> dict[str, SlicerReading]:
    """By name, of the sliced files that belong to the request as it is now."""
    method = lab.method(job.request.method)
    facts_by_name = {record.name: read_slicer_facts(record) for record in job.current_files}
    readings = (slicer_reading(name, facts, method) for name, facts in facts_by_name.items() if facts is not None)
    return {reading.file: reading for reading in readings if reading is not None}


def slicer_reading(name: str, facts: SlicerFacts, method: Method | None) -> SlicerReading | None:
    """Grams as the file states them or, if it does not, volume × the lab's density. None for a file without figures."""
    weight_g = facts.weight_g(densities(method)).grams
    volume_ml = facts.resin_ml
    hours = Decimal(facts.time_s) / HOUR_S if facts.time_s else None
    if weight_g is None and volume_ml is None and hours is None:
        return None
    return SlicerReading(
        file=name,
        program=facts.maker,
        weight_g=weight_g,
        volume_ml=volume_ml,
        time_h=round(hours, 2).normalize() if hours is not None else None,
        material=material_of(facts, method),
    )


def densities(method: Method | None) -> dict[str, Decimal]:
    """g/cm³ by material; the first stands in where a file names none."""
    return {material.name: material.density_g_cm3 for material in (method.materials if method else [])}


def material_of(facts: SlicerFacts, method: Method | None) -> str | None:
    """The lab's name for the material, where the lab has it; else the file's."""
    stated = facts.material
    if stated is None or method is None:
        return stated
    names = [material.name for material in method.materials]
    return next((name for name in names if name.casefold() == stated.casefold()), stated)


def printer_of(facts: SlicerFacts, lab: Lab) -> Printer | None:
    """The lab's printer that the file is for: the slicer's name for it contains the printer's name or id."""
    stated = _letters(facts.printer_model or "")
    if not stated:
        return None
    matching = [
        printer
        for printer in lab.printers
        if _letters(printer.name) in stated or stated in _letters(printer.name) or _letters(printer.id) in stated
    ]
    return max(matching, key=lambda printer: len(_letters(printer.name)), default=None)


def remarks(job: Job, name: str, facts: SlicerFacts, lab: Lab) -> Iterator[str]:
    """What staff should know about a sliced file before they approve a job with it."""
    method = lab.method(job.request.method)
    requested = lab.printer(job.request.printer)
    sliced_for = printer_of(facts, lab)
    if sliced_for is not None and requested is not None and sliced_for.id != requested.id:
        yield f"{name} was sliced for the {sliced_for.name}; asked for was the {requested.name}."
    elif sliced_for is None and facts.printer_model:
        yield f"{name} was sliced for {facts.printer_model}, which is none of the lab's printers."
    material = material_of(facts, method)
    if material is not None and method is not None and material not in [m.name for m in method.materials]:
        yield f"{name} was sliced for {material}, which is none of the lab's materials for {method.name}."
    yield from facts.weight_g(densities(method)).remarks
    yield from facts.warnings


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
