"""The same part again: what staff should know of earlier prints of a job's models."""

from __future__ import annotations

from indexer.earlier_prints import Shape
from indexer.queries import EarlierPrint
from printsys.assessment.model_findings import read_model_facts
from printsys.domain.job import Job
from printsys.errors import MirrorDown
from printsys.services import Services


def printed_before(services: Services, job: Job) -> list[EarlierPrint]:
    """The newest first; none while PostgreSQL is down."""
    hashes = {record.sha256 for record in job.current_files if record.role != "other"}
    facts = [model for record in job.current_files if (model := read_model_facts(record)) is not None]
    shapes = [
        Shape(model.area_cm2, model.volume_cm3, max(model.size_mm), model.triangles)
        for model in facts
        if model.area_cm2
    ]
    try:
        return services.queries.earlier_prints(job.id, hashes, shapes) if hashes else []
    except MirrorDown:
        return []
