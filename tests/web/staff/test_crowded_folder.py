"""The page of a job with thousands of files. (FAULTS R5)"""

from __future__ import annotations

import os

import pytest
from flask.testing import FlaskClient

from printsys.jobstore.files import MOST_OFFERED
from printsys.web.staff.job_page import MOST_SHOWN
from tests.web.conftest import MakeJob


def test_the_page_of_a_crowded_folder_shows_a_part_of_it(staff: FlaskClient, make: MakeJob) -> None:
    stored = make()
    for number in range(3_000):
        (stored.folder / f"plate {number:05d}.gcode").write_bytes(b"; G-code")
    page = staff.get(f"/dashboard/jobs/{stored.id}").get_data(as_text=True)
    names = {f"plate {number:05d}.gcode" for number in range(3_000) if f"plate {number:05d}.gcode" in page}
    assert 0 < len(names) <= max(MOST_SHOWN, MOST_OFFERED)
    assert f"{3_001 - MOST_SHOWN:,} more files are not shown" in page
    assert len(page) < 1_000_000


@pytest.mark.skipif(os.name != "posix", reason="such names exist on POSIX only")
def test_a_folder_whose_name_is_no_text_has_a_page(staff: FlaskClient, make: MakeJob) -> None:
    stored = make()
    os.rename(os.fsencode(stored.folder), os.fsencode(stored.folder.parent) + b"/caf\xe9_" + stored.id.encode())
    answer = staff.get(f"/dashboard/jobs/{stored.id}")
    assert answer.status_code == 200
    assert f"Uploaded/caf\\xe9_{stored.id}" in answer.get_data(as_text=True)
