"""What the inspection of a student's models found, in sentences for the student: pages and e-mails."""

from __future__ import annotations

from pydantic import ValidationError

from printsys.config import Lab
from printsys.domain.job import FileRecord, Job
from printsys.models3d.findings import ModelFinding, findings
from printsys.models3d.inspect import ModelFacts

MINOR = "worth knowing"


def found_in(job: Job, lab: Lab) -> list[str]:
    """Each with what to do about it, the worst of a file first. What is merely worth knowing is left out."""
    several = len(job.sent_files) > 1
    return [
        f"{_name(record) + ': ' if several else ''}{one.sentence} {one.advice}".strip()
        for record in job.sent_files
        for one in findings_of(record, job, lab)
        if one.grade != MINOR
    ]


def findings_of(record: FileRecord, job: Job, lab: Lab) -> list[ModelFinding]:
    """Worst first; none for a model that nobody has inspected yet."""
    facts = read_model_facts(record)
    return findings(facts, lab.printers, job.request.printer) if facts is not None else []


def read_model_facts(record: FileRecord) -> ModelFacts | None:
    """None for a model that nobody has inspected, could inspect, or that a version with other facts has."""
    try:
        return ModelFacts.model_validate(record.model) if record.model is not None else None
    except ValidationError:
        return None


def _name(record: FileRecord) -> str:
    return record.uploaded_as or record.name.rpartition("/")[2]
