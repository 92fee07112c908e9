"""The findings about a student's models as sentences for the student, on pages and in e-mails."""

from __future__ import annotations

from pydantic import ValidationError

from printsys.config import Lab
from printsys.domain.job import FileRecord, Job
from printsys.models3d.findings import LEAST_WALL_MM, ModelFinding, findings
from printsys.models3d.inspect import ModelFacts

MINOR = "worth knowing"
REASONS = {
    "holes": "not-watertight",
    "mixed-sides": "not-watertight",
    "too-large": "too-large",
    "too-large-for-printer": "too-large",
    "thin": "too-thin",
    "thin-wall": "too-thin",
    "thin-floor": "too-thin",
    "tiny": "wrong-scale",
}
"""The lab's reason for a rejection that a finding speaks for, by its code; `unit-…` speaks for `wrong-scale`."""


def finding_sentences(job: Job, lab: Lab) -> list[str]:
    """Each with what to do about it, the worst of a file first. Leaves out findings that are merely worth knowing."""
    sentences = []
    for record in job.sent_files:
        name = record.uploaded_as or record.name.rpartition("/")[2]
        prefix = f"{name}: " if len(job.sent_files) > 1 else ""
        important = (finding for finding in findings_of(record, job, lab) if finding.grade != MINOR)
        sentences += [f"{prefix}{finding.sentence} {finding.advice}".strip() for finding in important]
    return sentences


def findings_of(record: FileRecord, job: Job, lab: Lab) -> list[ModelFinding]:
    """Worst first; none for a model that nobody has inspected yet."""
    facts = read_model_facts(record)
    if facts is None:
        return []
    return findings_for(facts, lab, job.request.method, job.request.printer)


def findings_for(facts: ModelFacts, lab: Lab, method_name: str, printer: str | None) -> list[ModelFinding]:
    """By the printers and the least wall of the method; by all printers where there is no such method."""
    method = lab.method(method_name)
    least_wall_mm = method.least_wall_mm if method is not None else LEAST_WALL_MM
    return findings(facts, lab.printers_for(method_name) or lab.printers, printer, least_wall_mm)


def suggested_reasons(job: Job, lab: Lab) -> list[str]:
    """The ids of the lab's reasons for a rejection that the findings speak for; staff decide."""
    codes = [f.code for record in job.sent_files for f in findings_of(record, job, lab) if f.grade != MINOR]
    suggested = ["wrong-scale" if code.startswith("unit-") else REASONS.get(code, "") for code in codes]
    return [reason.id for reason in lab.rejection_reasons if reason.id in suggested]


def read_model_facts(record: FileRecord) -> ModelFacts | None:
    """None for a model without facts: not inspected yet, impossible to inspect, or inspected by another version."""
    try:
        return ModelFacts.model_validate(record.model) if record.model is not None else None
    except ValidationError:
        return None
