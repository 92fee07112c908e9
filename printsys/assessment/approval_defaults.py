"""What the approval begins with: what the chosen files say, so that nobody types it, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from printsys import slicers
from printsys.assessment.model_findings import read_model_facts
from printsys.assessment.slicer_readings import read_slicer_facts, reading, remarks
from printsys.config.lab import Lab
from printsys.domain.estimates import SlicerReading, total
from printsys.domain.job import FileRecord
from printsys.domain.pricing import round_up_to_half_hour
from printsys.jobstore import Stored
from printsys.models3d.compare import compare
from printsys.models3d.inspect import ModelFacts
from printsys.slicers import SlicerFacts

STALE_S = 2
"""So much earlier than the model a file must have been saved to be called older: clocks of shares differ."""


@dataclass(frozen=True)
class Prefill:
    """Grams, millilitres and hours (up to the half) of the chosen files together; None: not known.

    `source`: "from bracket.gcode, PrusaSlicer 2.9". `remarks`: sentences for whoever approves.
    """

    weight_g: Decimal | None = None
    volume_ml: Decimal | None = None
    time_h: Decimal | None = None
    material: str | None = None
    source: str | None = None
    remarks: list[str] = field(default_factory=list)


def prefill(stored: Stored, names: Sequence[str], lab: Lab) -> Prefill:
    """For the files with these `names`. One that the worker has not read yet is read here: it takes milliseconds."""
    job, method = stored.job, lab.method(stored.job.request.method)
    said: list[str] = []
    read: list[SlicerReading | None] = []
    for name in names:
        facts = _facts(stored, name)
        read.append(reading(name, facts, method) if facts is not None else None)
        if facts is not None:
            said += remarks(job, name, facts, lab)
            said += [f"{name}: {told}" for told in _compared_with_the_model(stored, name, facts)]
        said += _older_than_its_model(stored, name)
    known = [one for one in read if one is not None]
    if not known:
        return Prefill(remarks=said)
    if len(known) < len(names):
        unread = [name for name, one in zip(names, read, strict=True) if one is None]
        said.append(f"{' and '.join(unread)} says nothing of weight and time: what is filled in is without it.")
    sums = total(known)
    return Prefill(
        weight_g=sums.weight_g,
        volume_ml=sums.volume_ml,
        time_h=round_up_to_half_hour(sums.time_h) if sums.time_h is not None else None,
        material=sums.material,
        source="from " + " and ".join(f"{one.file}, {one.program}" for one in known),
        remarks=said,
    )


def _facts(stored: Stored, name: str) -> SlicerFacts | None:
    record = stored.job.file(name)
    known = read_slicer_facts(record) if record is not None else None
    if known is not None:
        return known
    try:
        return slicers.read(stored.folder / name, measure=False)
    except OSError:
        return None


def _compared_with_the_model(stored: Stored, name: str, facts: SlicerFacts) -> list[str]:
    """Whether what stands on the plate is what the student sent: other bodies, another size."""
    placed = facts.placed
    sent = [record for record in stored.job.sent_files if read_model_facts(record) is not None]
    if placed is None or len(sent) != 1:  # of several models nobody can tell which is meant
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
    original = read_model_facts(sent[0])
    return compare(original, plate) if original is not None else []


def _floats(sizes: tuple[Decimal, Decimal, Decimal]) -> tuple[float, float, float]:
    return float(sizes[0]), float(sizes[1]), float(sizes[2])


def _older_than_its_model(stored: Stored, name: str) -> Iterator[str]:
    """A file that was sliced before the model was last saved holds the old model."""
    for record in stored.job.files:
        if record.role == "working" and record.name != name and _was_saved_over(record, stored):
            saved, sliced = _saved_at(stored, record.name), _saved_at(stored, name)
            if saved is not None and sliced is not None and sliced + STALE_S < saved:
                yield f"{name} is older than {record.name}: it may have been sliced before the model was changed."


def _was_saved_over(record: FileRecord, stored: Stored) -> bool:
    """Whether staff changed the working copy: otherwise its time is only that of the upload."""
    return all(record.sha256 != other.sha256 for other in stored.job.files if other.role == "original")


def _saved_at(stored: Stored, name: str) -> float | None:
    try:
        return (stored.folder / name).stat().st_mtime
    except OSError:
        return None
