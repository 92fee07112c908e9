"""How many of a job's copies its print files hold, by the objects that the files list, and figures for all copies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from printsys.domain.job import FOR_COPIES, PLATE_COPIES, Document, FileRecord, Job

COPY_MARK = re.compile(
    r"(?:_id_\d+_copy_\d+| id:\d+ copy \d+|(?<![ _])[ _]*\((?:instance |copy )?\d+\)|[ _]\d+)$", re.IGNORECASE
)
"""What slicers add to an object's name for each of its copies."""


def copies_held(job: Job, objects: Mapping[str, Sequence[str]]) -> dict[str, int] | None:
    """Of each file the number of copies that all files together hold of its models. `objects`: their names, by file.

    None where the files do not list them, or where it does not come out even: then a person has to say it.
    """
    models = {record.name: _objects_in_a_copy(job, record) for record in job.current_files if record.role == "working"}
    counts = {file: _by_model(names, [*models]) for file, names in objects.items()}
    totals: Counter[str] = Counter()
    for count in counts.values():
        if not count:
            return None
        totals.update(count)
    if totals.keys() != models.keys() or any(total % models[model] for model, total in totals.items()):
        return None
    held = {file: {totals[model] // models[model] for model in count} for file, count in counts.items()}
    return {file: numbers.pop() for file, numbers in held.items()} if all(len(n) == 1 for n in held.values()) else None


def _objects_in_a_copy(job: Job, working_copy: FileRecord) -> int:
    """A 3MF may have several; slicers make one object of any other file."""
    if not working_copy.name.casefold().endswith(".3mf"):
        return 1
    inspected = (record.model for record in job.files if record.sha256 == working_copy.sha256 and record.model)
    pieces = next(inspected, {}).get("pieces")
    return pieces if isinstance(pieces, int) and pieces > 0 else 1


def _by_model(names: Sequence[str], models: Sequence[str]) -> Counter[str]:
    """How many objects there are of each model (its working copy's name); empty where one cannot be told."""
    stems = {model: _letters(model.rpartition(".")[0]) for model in models}
    matches = [[model for model in models if _letters(name).startswith(stems[model])] for name in names]
    if all(matches):
        return Counter(max(candidates, key=lambda model: len(stems[model])) for candidates in matches)
    # Somebody named them otherwise: of a single model they are all, if they have one name.
    is_one_model = not any(matches) and len({COPY_MARK.sub("", name) for name in names}) == 1
    return Counter({models[0]: len(names)}) if len(models) == 1 and is_one_model else Counter()


def _letters(name: str) -> str:
    """Klipper's names have an underscore for whatever else they contained."""
    return "".join(c for c in name.casefold() if c.isalnum())


def factors(job: Job, objects: Mapping[str, Sequence[str]]) -> dict[str, Fraction] | None:
    """By file: how often its figures count for all copies of the job. None where a person has to say it."""
    copies = job.request.copies
    if copies == 1:
        return dict.fromkeys(objects, Fraction(1))
    held = copies_held(job, objects)
    if held is None or not all(0 < number <= copies for number in held.values()):
        return None
    return {file: Fraction(copies, number) for file, number in held.items()}


def plate_copies(job: Job, objects: Mapping[str, Sequence[str]]) -> int | None:
    """How many of the job's copies each of the files holds; None where they hold different numbers, or nobody knows."""
    numbers = {*(copies_held(job, objects) or {}).values()} if job.request.copies > 1 else set()
    return numbers.pop() if len(numbers) == 1 else None


def remarks(job: Job, objects: Mapping[str, Sequence[str]]) -> list[str]:
    """What staff should know before they approve: files that hold fewer copies than wanted, or more."""
    copies = job.request.copies
    wanted = f"{copies} copies" if copies > 1 else "one copy"
    sentences = []
    for file, number in (copies_held(job, objects) or {}).items():
        if number > copies:
            sentences.append(f"{file} lists {number} copies of the model, asked for was {wanted}: please check.")
        elif number < copies:
            times = _times(Fraction(copies, number))
            sentences.append(f"{file} lists {number} of the {wanted}: what it states is counted {times} times.")
    return sentences


def _times(factor: Fraction) -> str:
    return str(factor.numerator) if factor.denominator == 1 else f"{float(factor):.2f}"


def multiplied(amount: Decimal | None, factor: Fraction) -> Decimal | None:
    """To three digits after the point, unless the factor is 1."""
    if amount is None or factor == 1:
        return amount
    return round(amount * factor.numerator / factor.denominator, 3).normalize()


def recorded_copies(job: Job, plate_copies: int | None) -> Document:
    """The keys of an estimate for all copies of the job; null for those of an earlier estimate that no longer hold."""
    earlier = (job.estimate.model_extra or {}) if job.estimate is not None else {}
    copies = job.request.copies
    keys = {
        FOR_COPIES: copies if copies > 1 else None,
        PLATE_COPIES: plate_copies if plate_copies != copies else None,
    }
    return {key: value for key, value in keys.items() if value is not None or key in earlier}
