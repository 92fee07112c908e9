"""The figures that fill in the approval form, read from the chosen files, and remarks that speak against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal

from printsys import slicers
from printsys.assessment.model_findings import read_model_facts
from printsys.assessment.slicer_readings import read_slicer_facts, remarks, slicer_reading
from printsys.config.lab import Lab
from printsys.domain import copies
from printsys.domain.estimates import SlicerReading, for_all_copies, total
from printsys.domain.job import Job
from printsys.domain.pricing import round_up_to_half_hour
from printsys.jobstore import Stored
from printsys.models3d.compare import compare
from printsys.models3d.inspect import ModelFacts
from printsys.slicers import SlicerFacts

STALE_S = 2
"""A file counts as older than the model from so many seconds on: clocks of shares differ."""


@dataclass(frozen=True)
class ApprovalDefaults:
    """Grams, milliliters and hours (up to the half) of the chosen files together; None: unknown.

    `for_copies`: how many of the job's copies these are for; None where only a person can say it.
    `source`: "from bracket.gcode, PrusaSlicer 2.9". `remarks`: sentences for the staff member who approves.
    """

    weight_g: Decimal | None = None
    volume_ml: Decimal | None = None
    time_h: Decimal | None = None
    material: str | None = None
    for_copies: int | None = None
    source: str | None = None
    remarks: list[str] = field(default_factory=list)


def read_defaults(stored: Stored, names: Sequence[str], lab: Lab) -> ApprovalDefaults:
    """For the files with these `names`. Reads a file that the worker has not read yet: that takes milliseconds."""
    job, method = stored.job, lab.method(stored.job.request.method)
    sentences: list[str] = []
    readings: dict[str, SlicerReading] = {}
    for name in names:
        facts = _slicer_facts(stored, name)
        if facts is not None:
            reading = slicer_reading(name, facts, method)
            readings |= {name: reading} if reading is not None else {}
            sentences += remarks(job, name, facts, lab)
            sentences += [f"{name}: {difference}" for difference in _compare_with_model(job, facts)]
        sentences += _older_than_its_model(stored, name)
    if not readings:
        return ApprovalDefaults(remarks=sentences)
    silent = [name for name in names if name not in readings]
    if silent:
        sentences.append(f"{' and '.join(silent)} says nothing of weight and time: what is filled in is without it.")
    stated = [*readings.values()]
    of_all = for_all_copies(job, stated) if not silent else None
    sentences += copies.remarks(job, {reading.file: reading.objects for reading in stated})
    sums = total(of_all if of_all is not None else stated)
    return ApprovalDefaults(
        weight_g=sums.weight_g,
        volume_ml=sums.volume_ml,
        time_h=_hours(sums.time_h, is_for_all=of_all is not None),
        material=sums.material,
        for_copies=job.request.copies if of_all is not None else None,
        source="from " + " and ".join(f"{reading.file}, {reading.program}" for reading in readings.values()),
        remarks=sentences,
    )


def _hours(stated: Decimal | None, is_for_all: bool) -> Decimal | None:
    """To the half hour up, as they are charged; to hundredths where they are yet to be multiplied."""
    if stated is None or is_for_all:
        return stated and round_up_to_half_hour(stated)
    return stated.quantize(Decimal("0.01"), ROUND_UP).normalize()


def _slicer_facts(stored: Stored, name: str) -> SlicerFacts | None:
    record = stored.job.file(name)
    recorded = read_slicer_facts(record) if record is not None else None
    if recorded is not None:
        return recorded
    try:
        return slicers.read(stored.folder / name, measure=False)
    except OSError:
        return None


def _compare_with_model(job: Job, facts: SlicerFacts) -> list[str]:
    """How the models on the plate differ from the one that the student sent."""
    placed = facts.placed
    originals = [original for record in job.sent_files if (original := read_model_facts(record)) is not None]
    if placed is None or len(originals) != 1:  # of several models nobody can tell which one the plate holds
        return []
    pieces = tuple(_floats(item.box.size_mm) for item in placed.items)
    plate = ModelFacts(
        format="plate",
        triangles=placed.triangles,
        size_mm=_floats(placed.box.size_mm),
        pieces=len(pieces),
        pieces_mm=pieces,
        volume_cm3=float(placed.volume_cm3),
        bodies=placed.bodies,
    )
    return compare(originals[0], plate)


def _floats(sizes: tuple[Decimal, Decimal, Decimal]) -> tuple[float, float, float]:
    return float(sizes[0]), float(sizes[1]), float(sizes[2])


def _older_than_its_model(stored: Stored, name: str) -> Iterator[str]:
    """A file from before somebody last saved the model holds the old model."""
    originals = {record.sha256 for record in stored.job.files if record.role == "original"}
    for record in stored.job.files:
        # The time of a working copy that is still the original is only that of the upload.
        is_changed = record.sha256 not in originals and record.converted_because is None
        if record.role == "working" and record.name != name and is_changed:
            saved, sliced = _saved_at(stored, record.name), _saved_at(stored, name)
            if saved is not None and sliced is not None and sliced + STALE_S < saved:
                yield f"{name} is older than {record.name}: it may have been sliced before the model was changed."


def _saved_at(stored: Stored, name: str) -> float | None:
    try:
        return (stored.folder / name).stat().st_mtime
    except OSError:
        return None
