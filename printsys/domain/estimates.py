"""What a slicer's file means for its job: before the approval it prefills it, afterwards a difference is raised.

The agreed price never changes by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from printsys.domain.copies import factors, multiplied, plate_copies, recorded_copies
from printsys.domain.events import STAFF, SYSTEM, Event, EventDraft, EventType
from printsys.domain.job import FOR_COPIES, Document, Estimate, FileRecord, Job, Part, dump, plain
from printsys.domain.pricing import DECIDING, recorded_discounts, round_up_to_half_hour
from printsys.domain.status import PRICE_AGREED, UNPRICED

SLACK = Decimal("0.05")
SLACK_G = Decimal(1)
"""So much of the agreed weight, and at least so many grams, may two slicings of one model differ."""


@dataclass(frozen=True)
class SlicerReading:
    """What a sliced file says: grams, millilitres and hours in all. `program` is its maker, as people call it.

    `objects`: names of the things on its plates, copies by themselves; empty where it does not list them.
    """

    file: str
    program: str
    weight_g: Decimal | None = None
    volume_ml: Decimal | None = None
    time_h: Decimal | None = None
    material: str | None = None
    objects: tuple[str, ...] = ()

    def times(self, factor: Fraction) -> SlicerReading:
        weight_g, volume_ml, time_h = (multiplied(n, factor) for n in (self.weight_g, self.volume_ml, self.time_h))
        return replace(self, weight_g=weight_g, volume_ml=volume_ml, time_h=time_h)


def for_all_copies(job: Job, readings: Sequence[SlicerReading]) -> list[SlicerReading] | None:
    """The same with figures for all copies of the job; None where nobody can know how many the files hold."""
    factor_by_file = factors(job, {reading.file: reading.objects for reading in readings})
    return [reading.times(factor_by_file[reading.file]) for reading in readings] if factor_by_file is not None else None


def file_read(
    job: Job,
    record: FileRecord,
    slicer: Document,
    readings: Mapping[str, SlicerReading],
    events: Sequence[Event],
    earlier: SlicerReading | None = None,
) -> list[EventDraft]:
    """The event of reading `record`: it keeps the `slicer` facts with the file and updates the job's estimate.

    `readings` are those of all the job's sliced files, this one's included. Empty where the file was read already or
    has other bytes by now. Of a record that has facts already, `earlier` is what an earlier version of the system read:
    news only if it read otherwise. What staff estimated stays then.
    """
    present = job.file(record.name)
    if present is None or present.sha256 != record.sha256 or present.slicer != record.slicer:
        return []
    if present.slicer == slicer:
        return []
    is_again = record.slicer is not None
    files = [dump(file) | ({"slicer": slicer} if file.name == record.name else {}) for file in job.files]
    reading = readings.get(record.name)
    data: Document = {"name": record.name} | ({"again": True} if is_again else {})
    if reading == earlier:
        return [EventDraft(EventType.FILE_READ, SYSTEM, data, {"files": files})]
    data |= {"program": reading.program} if reading is not None else {}
    patch: Document = {"files": files}
    if job.status in UNPRICED and not (is_again and job.estimate is not None and job.estimate.source == STAFF):
        patch |= ({"estimate": None} if is_again else {}) | prefill(job, readings, events)
    elif reading is not None and job.status in PRICE_AGREED and (different := differences(job, reading)):
        data["differences"] = different
    return [EventDraft(EventType.ESTIMATE_READ, SYSTEM, data, patch)]


def prefill(job: Job, readings: Mapping[str, SlicerReading], events: Sequence[Event]) -> Document:
    """What the approval begins with: the newest sliced file of each part, and their sums. Staff's own choice stays.

    Without sums where nobody knows how many of the job's copies are in the files: staff say it when they approve.
    """
    chosen = chosen_files(job, readings, events)
    stated = [readings[name] for name in chosen if name in readings]
    if not stated:
        return {}
    of_all = for_all_copies(job, stated)
    parts = of_all if of_all is not None else stated
    sums = total(parts)
    estimate = Estimate(
        material=sums.material,
        weight_g=sums.weight_g if of_all is not None else None,
        volume_ml=sums.volume_ml if of_all is not None else None,
        time_h=round_up_to_half_hour(sums.time_h) if of_all is not None and sums.time_h is not None else None,
        source="slicer",
        parts=[Part(file=r.file, weight_g=r.weight_g, volume_ml=r.volume_ml, time_h=r.time_h) for r in parts],
    )
    if of_all is None and job.request.copies > 1:
        of_copies = recorded_copies(job, None) | {FOR_COPIES: None}
    else:
        of_copies = recorded_copies(job, plate_copies(job, {reading.file: reading.objects for reading in stated}))
    return {"print_files": chosen, "estimate": dump(estimate) | of_copies | recorded_discounts(job, ())}


@dataclass(frozen=True)
class Sums:
    """Of several files together; None where it is not known of one of them. `material` only where all have the same."""

    weight_g: Decimal | None
    volume_ml: Decimal | None
    time_h: Decimal | None
    material: str | None


def total(parts: Sequence[SlicerReading]) -> Sums:
    materials = {reading.material for reading in parts}
    return Sums(
        weight_g=_sum(reading.weight_g for reading in parts),
        volume_ml=_sum(reading.volume_ml for reading in parts),
        time_h=_sum(reading.time_h for reading in parts),
        material=materials.pop() if len(materials) == 1 else None,
    )


def chosen_files(job: Job, readings: Mapping[str, SlicerReading], events: Iterable[Event]) -> list[str]:
    """The print files: as staff chose them, or the newest sliced file made of each of the student's models."""
    by_hand = False
    for event in events:  # a request that was sent again since needs a new choice
        by_hand = event.type == EventType.PRINT_FILE_CHOSEN or (by_hand and event.type != EventType.RESUBMITTED)
    if by_hand and job.print_files:
        return list(job.print_files)
    copies = working_copies(job)
    newest: dict[str, str] = {}
    for record in sorted((f for f in job.files if f.name in readings), key=lambda file: file.added_at):
        model = model_of(record.name, copies)
        newest.pop(model, None)
        newest[model] = record.name
    return list(newest.values())


def working_copies(job: Job) -> list[str]:
    return [file.name for file in job.current_files if file.role == "working"]


def model_of(name: str, copies: Sequence[str]) -> str:
    """The working copy that a sliced file was made of, by its name: slicers begin theirs with the model's."""
    stems = {copy: os.path.splitext(copy)[0].casefold() for copy in copies}
    matches = [copy for copy in copies if name.casefold().startswith(stems[copy])]
    return max(matches, key=lambda copy: len(stems[copy]), default=copies[0] if copies else "")


def differences(job: Job, reading: SlicerReading) -> list[str]:
    """How a print file differs from what the student agreed to, in sentences; none where there are several files."""
    agreed = job.estimate
    if agreed is None or len(job.print_files) > 1:
        return []
    of_all = for_all_copies(job, [reading])
    as_approved = Fraction(agreed.for_copies or 1, agreed.plate_copies or 1)
    reading = of_all[0] if of_all is not None else reading.times(as_approved)
    amounts = ((reading.weight_g, agreed.weight_g, "g"), (reading.volume_ml, agreed.volume_ml, "ml"))
    sentences = [
        f"it takes {plain(needed)} {unit}, agreed were {plain(expected)} {unit}"
        for needed, expected, unit in amounts
        if needed is not None and expected is not None and abs(needed - expected) > max(SLACK_G, expected * SLACK)
    ]
    if agreed.time_h is not None and reading.time_h is not None:
        hours = round_up_to_half_hour(reading.time_h)
        if hours != agreed.time_h and abs(hours - agreed.time_h) > agreed.time_h * SLACK:
            sentences.append(f"it prints {plain(hours)} h, said were {plain(agreed.time_h)} h")
    if agreed.material and reading.material and _materials(agreed.material) != _materials(reading.material):
        sentences.append(f"it was sliced for {reading.material}, agreed was {agreed.material}")
    return sentences


def _materials(names: str) -> set[str]:
    return {name.strip().casefold() for name in names.split(",")}


SETTLED_BY = frozenset(
    {EventType.STAFF_APPROVED, EventType.STATUS_REVERTED, EventType.PRICE_KEPT, EventType.FACTS_SUPPLIED}
)


def open_difference(job: Job, events: Iterable[Event]) -> Event | None:
    """The newest reading, or correction of the details, that contradicts what was agreed, as long as nobody has decided
    about it."""
    contradiction: Event | None = None
    for event in events:
        if event.type in SETTLED_BY:
            contradiction = None
        elif event.data.get("differences"):
            contradiction = event
        elif contradiction is not None and _answers(event, contradiction):
            contradiction = None  # saved over, or corrected, with something that agrees
    return contradiction if job.status in PRICE_AGREED else None


def _answers(event: Event, contradiction: Event) -> bool:
    if event.type != contradiction.type:
        return False
    is_reading = event.type == EventType.ESTIMATE_READ
    if is_reading:
        return event.data.get("name") == contradiction.data.get("name")
    return bool(_priced_by(event) & _priced_by(contradiction))


def _priced_by(event: Event) -> set[str]:
    """What of the price a correction of the details is about."""
    changed = set(event.data.get("changed", ()))
    return {"copies"} & changed | ({"rules"} if DECIDING & changed else set())


def _sum(numbers: Iterable[Decimal | None]) -> Decimal | None:
    """None where any of them is unknown: half a sum would pass for the whole."""
    amounts = list(numbers)
    return sum((n for n in amounts if n is not None), Decimal(0)) if amounts and None not in amounts else None
