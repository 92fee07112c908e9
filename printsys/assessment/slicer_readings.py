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
    """What was read from the file and kept; None where it was not, or by a version that kept something else."""
    try:
        return SlicerFacts.model_validate(record.slicer) if record.slicer is not None else None
    except ValidationError:
        return None


def readings_of(job: Job, lab: Lab) -> dict[str, SlicerReading]:
    """By the name of each file that was sliced of the request as it is."""
    found = {}
    for record in job.current_files:
        facts = read_slicer_facts(record)
        read = reading(record.name, facts, lab.method(job.request.method)) if facts is not None else None
        if read is not None:
            found[record.name] = read
    return found


def reading(name: str, facts: SlicerFacts, method: Method | None) -> SlicerReading | None:
    """Grams are the file's own or, where it states none, volume × the lab's density. None for what is not sliced."""
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
    """g/cm³ by material; the first is what is meant where a file names none."""
    return {material.name: material.density_g_cm3 for material in (method.materials if method else [])}


def material_of(facts: SlicerFacts, method: Method | None) -> str | None:
    """The lab's name for the material, where the lab has it; else the file's."""
    said = facts.material
    if said is None or method is None:
        return said
    names = [material.name for material in method.materials]
    return next((name for name in names if name.casefold() == said.casefold()), said)


def printer_of(facts: SlicerFacts, lab: Lab) -> Printer | None:
    """The lab's printer that the file was sliced for: its name, or its id, is in what the slicer calls it."""
    said = _letters(facts.printer_model or "")
    if not said:
        return None
    found = [p for p in lab.printers if _letters(p.name) in said or said in _letters(p.name) or _letters(p.id) in said]
    return max(found, key=lambda printer: len(_letters(printer.name)), default=None)


def remarks(job: Job, name: str, facts: SlicerFacts, lab: Lab) -> Iterator[str]:
    """What staff should know of a sliced file before they approve with it."""
    method = lab.method(job.request.method)
    asked = lab.printer(job.request.printer)
    sliced_for = printer_of(facts, lab)
    if sliced_for is not None and asked is not None and sliced_for.id != asked.id:
        yield f"{name} was sliced for the {sliced_for.name}; asked for was the {asked.name}."
    elif sliced_for is None and facts.printer_model:
        yield f"{name} was sliced for {facts.printer_model}, which is none of the lab's printers."
    material = material_of(facts, method)
    if material is not None and method is not None and material not in [m.name for m in method.materials]:
        yield f"{name} was sliced for {material}, which is none of the lab's materials for {method.name}."
    yield from facts.weight_g(densities(method)).remarks
    yield from facts.warnings


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
