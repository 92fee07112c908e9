"""From a link to the slicer and back with the real programs: xdg-open, opener, PrusaSlicer, G-code in the folder."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from opener.dialogs import TITLE
from tests.opener.commands import linux_only
from tests.opener.conftest import JOB, make_job, make_storage
from tests.opener.fake_desktops import MAIN_WINDOW, PROGRAMS, FakeDesktop, fake_desktop, running
from tests.waiting import until

pytestmark = [linux_only, pytest.mark.needs(*PROGRAMS)]

_CORNERS = [(0, 0, 0), (20, 0, 0), (0, 20, 0), (0, 0, 20)]
_SIDES = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]


def tetrahedron() -> bytes:
    """A binary STL that can be printed: 20 mm wide and high."""
    facets = (struct.pack("<12fH", 0, 0, 0, *(c for i in side for c in _CORNERS[i]), 0) for side in _SIDES)
    return bytes(80) + struct.pack("<I", len(_SIDES)) + b"".join(facets)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_storage(tmp_path_factory.mktemp("lab") / "print lab")


@pytest.fixture(scope="module")
def staff(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeDesktop]:
    with fake_desktop(tmp_path_factory.mktemp("staff"), lab) as desktop:
        yield desktop


@pytest.fixture
def model(lab: Path) -> Iterator[Path]:
    """A job's model with a name that is easy to tear apart."""
    job = make_job(lab, "Pending")
    path = job / "Jane's 50% bracket & lid.stl"
    path.write_bytes(tetrahedron())
    yield path
    shutil.rmtree(job)


def link(file: str) -> str:
    return f"printsys://open?job={JOB}&file={quote(file)}"


def test_a_link_starts_prusa_slicer_and_what_it_saves_is_in_the_job_s_folder(staff: FakeDesktop, model: Path) -> None:
    staff.follow(link(model.name))
    slicer = shutil.which("prusa-slicer")
    assert slicer and len(running(slicer, str(model))) == 1
    assert staff.log.endswith(f"opened in PrusaSlicer job={JOB} kind=.stl\n")
    until(lambda: bool(staff.windows(MAIN_WINDOW)), 120)
    saved = slice_and_save(staff, model)
    assert b"; filament used [mm]" in saved.read_bytes()


def slice_and_save(staff: FakeDesktop, model: Path) -> Path:
    """As a person does it with the keyboard: slice, export, take the folder and name that are proposed."""
    saved = model.with_suffix(".gcode")

    def asks_where_to_save() -> bool:
        if not staff.windows("Save G-code"):
            staff.press(staff.windows(MAIN_WINDOW)[0], "ctrl+r", "ctrl+g")
        return bool(staff.windows("Save G-code"))

    def is_saved() -> bool:
        for window in [] if saved.exists() else staff.windows("Save G-code"):
            staff.press(window, "Return")
        return saved.exists() and b"; prusaslicer_config = end" in saved.read_bytes()

    until(asks_where_to_save, 120)
    until(is_saved, 120)
    return saved


@pytest.mark.parametrize("desktop", ["", "X-Generic", pytest.param("GNOME", marks=pytest.mark.needs("gio"))])
def test_every_desktop_s_way_leads_to_the_opener_and_its_window_is_seen(
    staff: FakeDesktop, model: Path, desktop: str
) -> None:
    assert refusal(staff, link("gone.stl"), desktop) == f"refused NO_FILE job={JOB} kind=.stl"


@pytest.mark.parametrize(
    "tail", ['" --storage=/', "$(touch pwned).stl", "`touch pwned`.stl", ";touch pwned;.stl", " b.stl"]
)
def test_nothing_in_a_link_is_run_or_torn_apart_on_its_way(staff: FakeDesktop, model: Path, tail: str) -> None:
    assert refusal(staff, f"printsys://open?job={JOB}&file={tail}").startswith("refused ")
    assert not list(staff.home.path.rglob("pwned"))


def refusal(staff: FakeDesktop, link: str, desktop: str = "") -> str:
    """Follows the link, waits for the window that says no, closes it. The line that the log got."""
    lines = staff.log.splitlines()
    with staff.following(link, XDG_CURRENT_DESKTOP=desktop):
        until(lambda: bool(staff.windows(TITLE)), 60)
        for window in staff.windows(TITLE):
            staff.press(window, "Escape")
        until(lambda: not staff.windows(TITLE))
    (line,) = staff.log.splitlines()[len(lines) :]
    return line.partition("Z ")[2]
