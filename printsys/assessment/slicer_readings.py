"""What a slicer's file says in the lab's terms: its own materials, densities and printers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from pydantic import ValidationError

from printsys.config.lab import Lab, Method, Printer
from printsys.domain.estimates import SlicerReading
from printsys.domain.job import FileRecord, Job
from printsys.slicers import SlicerFacts

HOUR_S = 3600
NAMELESS = frozenset({"", "unknown", "none", "custom", "generic"})
"""What programs write for a printer of which they know nothing, as `_letters` has it."""
LEAST_IN_A_PROFILE = 4
"""A shorter name, such as XL, may be part of a profile's name for any reason."""


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
    facts = in_lab_terms(facts, method)
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
        material=facts.material,
        objects=facts.objects,
    )


def densities(method: Method | None) -> dict[str, Decimal]:
    """g/cm³ by material; the first stands in where a file names none."""
    return {material.name: material.density_g_cm3 for material in (method.materials if method else [])}


def in_lab_terms(facts: SlicerFacts, method: Method | None) -> SlicerFacts:
    """With the lab's names for materials, where it has them; else the file's."""
    if method is None:
        return facts
    names = {_letters(alias): m.name for m in reversed(method.materials) for alias in (*m.aliases, m.name)}
    tools = [
        tool.model_copy(update={"material": names.get(_letters(tool.material or ""), tool.material)})
        for tool in facts.tools
    ]
    stated = _materials(facts)
    material = ", ".join(dict.fromkeys(names.get(_letters(name), name) for name in stated)) or None
    return facts.model_copy(update={"tools": tuple(tools), "material": material})


def _materials(facts: SlicerFacts) -> list[str]:
    """`PLA, PETG` is two; those without a letter are none."""
    return [name.strip() for name in (facts.material or "").split(",") if _letters(name)]


def printers_of(facts: SlicerFacts, lab: Lab) -> list[Printer]:
    """The lab's printers that the file is for; of the same model there may be several.

    A model's name is compared whole: MK4 is not MK4S, Pro2 not Pro 2 Plus. A profile's name may contain the printer's.
    """
    stated = facts.printer_model or ""
    if _letters(stated) in NAMELESS:
        return []
    if not facts.printer_is_profile:
        return [p for p in lab.printers if _letters(stated) in map(_letters, p.known_names)]
    lengths = {p.id: max((_length_in(stated, name) for name in p.known_names), default=0) for p in lab.printers}
    longest = max(lengths.values())
    return [p for p in lab.printers if lengths[p.id] == longest >= LEAST_IN_A_PROFILE]


def _length_in(profile: str, name: str) -> int:
    """Letters of `name`, if the profile's name contains it in whole words and not as the beginning of another's."""
    letters = r"[\W_]*".join(map(re.escape, _letters(name)))
    pattern = rf"(?<![^\W_]){letters}(?![^\W_]|\+|[\W_]*(?:plus|pro|max|mini)\b)"
    return len(_letters(name)) if letters and re.search(pattern, profile.casefold()) else 0


def remarks(job: Job, name: str, facts: SlicerFacts, lab: Lab) -> Iterator[str]:
    """What staff should know about a sliced file before they approve a job with it."""
    method = lab.method(job.request.method)
    facts = in_lab_terms(facts, method)
    yield from _printer_remarks(name, facts, lab, lab.printer(job.request.printer))
    known = {_letters(material.name) for material in (method.materials if method else [])}
    for material in _materials(facts):
        if method is not None and _letters(material) not in known:
            yield f"{name} was sliced for {material}, which is none of the lab's materials for {method.name}."
    yield from facts.weight_g(densities(method)).remarks
    yield from facts.warnings


def _printer_remarks(name: str, facts: SlicerFacts, lab: Lab, requested: Printer | None) -> Iterator[str]:
    """None where the file names no printer, or only a profile in which nobody can tell one."""
    sliced_for = printers_of(facts, lab)
    if sliced_for and requested is not None and requested not in sliced_for:
        printers = " or the ".join(printer.name for printer in sliced_for)
        yield f"{name} was sliced for the {printers}; asked for was the {requested.name}."
    elif not sliced_for and not facts.printer_is_profile and _letters(facts.printer_model or "") not in NAMELESS:
        yield f"{name} was sliced for {facts.printer_model}, which is none of the lab's printers."


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold().replace("+", "plus") if c.isalnum())
