"""The form of a rejection starts with what the inspection of the model found."""

from __future__ import annotations

import re

from flask.testing import FlaskClient

from printsys.domain.events import SYSTEM, EventDraft, EventType
from printsys.domain.job import dump
from printsys.services import Services
from tests.web.conftest import MakeJob

TICKED = r'value="([^"]+)"[^>]*\s+checked'


def test_a_rejection_starts_with_the_reasons_that_the_inspection_found(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make()
    page = staff.get(f"/dashboard/jobs/{job.id}/reject").get_data(as_text=True)
    assert 'value="not-watertight"' in page and not re.search(TICKED, page)
    holes = {"format": "binary STL", "triangles": 12, "size_mm": [30, 30, 30], "open_edges": 3, "bodies": 1}
    with services.store.edit(job.id) as change:
        files = [dump(file) | {"model": holes if file.role == "original" else None} for file in change.job.files]
        change.record(EventDraft(EventType.MODEL_INSPECTED, SYSTEM, {"name": files[0]["name"]}, {"files": files}))
    page = staff.get(f"/dashboard/jobs/{job.id}/reject").get_data(as_text=True)
    assert (
        re.findall(TICKED, page) == ["not-watertight"] and "Ticked is what the inspection of the model found." in page
    )
