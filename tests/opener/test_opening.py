"""From a link to a program that runs, or to one sentence and one line in the log."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from opener import tomltext
from opener.dialogs import SlicerChoice
from opener.opening import follow_link
from opener.paths import OpenerPaths
from opener.refusals import Reason
from tests.opener.conftest import FOLDER, JOB, World, make_job, url
from tests.opener.test_url import REFUSED, TEXTS


def open_link(world: World, link: str) -> bool:
    return follow_link([link], world.desktop)


def test_a_click_opens_the_exact_file(world: World, job: Path) -> None:
    assert open_link(world, url("original/bracket%20v2.stl"))
    assert world.started == [[str(world.bin / "prusa-slicer"), str(job / "original" / "bracket v2.stl")]]
    assert world.dialogs.texts == []
    assert world.log.endswith(f"Z opened in PrusaSlicer job={JOB} kind=.stl\n")


@pytest.mark.parametrize(("link", "reason"), REFUSED)
def test_each_refusal_is_shown_and_logged_and_starts_nothing(
    world: World, job: Path, link: str, reason: Reason
) -> None:
    assert not open_link(world, link)
    assert world.started == []
    assert len(world.dialogs.texts) == 1
    assert f"refused {reason.name}" in world.log and world.log.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], [url(), "--evil"], [url(), url()]])
def test_a_link_that_was_torn_into_several_arguments_is_refused(world: World, arguments: list[str]) -> None:
    assert not follow_link(arguments, world.desktop)
    assert "refused ARGUMENTS" in world.log and world.started == []


def test_the_log_has_no_student_s_name(world: World, job: Path) -> None:
    open_link(world, url())
    open_link(world, url("JaneDoe.stl"))
    open_link(world, url("../JaneDoe.stl"))
    assert "Jane" not in world.log and world.log.count("\n") == 3


def test_a_log_that_cannot_be_written_keeps_no_file_from_opening(
    world: World, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.desktop.paths.log.mkdir()
    assert open_link(world, url())
    assert "log" in capsys.readouterr().err


def test_settings_that_cannot_be_read_are_reported(world: World, job: Path) -> None:
    world.desktop.paths.config.write_text('storage = "relative"\nslicer = 3\n', "utf-8")
    assert not open_link(world, url())
    assert "relative" in world.dialogs.texts[0] and "slicer is not a setting" in world.dialogs.texts[0]


@pytest.mark.parametrize("path", [r"P:\printlab", r"P:\new"])
def test_a_path_with_backslashes_gets_a_hint(world: World, job: Path, path: str) -> None:
    world.desktop.paths.config.write_text(f'storage = "{path}"\n', "utf-8")
    assert not open_link(world, url())
    assert world.dialogs.texts[0].endswith("In a path write / for each \\")


def test_an_opener_that_was_not_set_up_says_how(world: World, job: Path, tmp_path: Path) -> None:
    world.desktop.paths = OpenerPaths(tmp_path / "other")
    assert not open_link(world, url())
    assert "--storage" in world.dialogs.texts[0]


def test_resin_goes_to_preform_and_filament_does_not(world: World, storage: Path) -> None:
    preform = world.bin / "PreForm"
    preform.write_bytes(b"")
    with world.desktop.paths.config.open("a", encoding="utf-8") as file:
        file.write(f'[[slicers]]\nname = "PreForm"\npath = {tomltext.quoted(str(preform))}\n')
    make_job(storage, "Pending", method="Resin")
    make_job(storage, "Pending", "Ada_Filament_Gray_00000000", "00000000")
    assert open_link(world, url()) and open_link(world, url("Ada_Filament_Gray_00000000.stl", "00000000"))
    assert [Path(command[0]).name for command in world.started] == ["PreForm", "prusa-slicer"]


def test_where_several_fit_the_opener_asks_and_the_answer_remembered(world: World, job: Path) -> None:
    world.add_program("cura", "orca-slicer")
    world.dialogs.answer = SlicerChoice("Cura", remember=True)
    assert open_link(world, url()) and open_link(world, url())
    assert world.dialogs.choices == [["PrusaSlicer", "OrcaSlicer", "Cura"]], "asked once"
    assert [Path(command[0]).name for command in world.started] == ["cura", "cura"]


def test_an_answer_for_once_asks_again(world: World, job: Path) -> None:
    world.add_program("cura")
    world.dialogs.answer = SlicerChoice("Cura", remember=False)
    assert open_link(world, url()) and open_link(world, url())
    assert len(world.dialogs.choices) == 2


def test_a_remembered_program_that_is_gone_is_asked_for_again(world: World, job: Path) -> None:
    world.add_program("cura", "orca-slicer")
    world.dialogs.answer = SlicerChoice("Cura", remember=True)
    open_link(world, url())
    (world.bin / "cura").unlink()
    world.dialogs.answer = SlicerChoice("OrcaSlicer", remember=True)
    assert open_link(world, url())
    assert world.dialogs.choices[-1] == ["PrusaSlicer", "OrcaSlicer"]


def test_a_damaged_memory_only_asks_again(world: World, job: Path) -> None:
    world.add_program("cura")
    world.desktop.paths.choices.write_bytes(b"\xff = [")
    world.dialogs.answer = SlicerChoice("Cura", remember=True)
    assert open_link(world, url()) and open_link(world, url())
    assert len(world.dialogs.choices) == 1


def test_a_window_that_is_closed_opens_nothing(world: World, job: Path) -> None:
    world.add_program("cura")
    assert not open_link(world, url())
    assert world.started == [] and "NOT_CHOSEN" in world.log


@pytest.mark.parametrize("pressed", [True, False])
def test_without_a_slicer_the_file_manager_is_offered(world: World, job: Path, pressed: bool) -> None:
    (world.bin / "prusa-slicer").unlink()
    world.dialogs.press = pressed
    assert not open_link(world, url())
    assert str(job / f"{FOLDER}.stl") in world.dialogs.texts[0]
    assert world.started == ([["/usr/bin/xdg-open", str(job)]] if pressed else [])
    assert "refused NO_SLICER" in world.log


def test_a_slicer_that_does_not_start_is_reported_with_the_file(world: World, job: Path) -> None:
    world.desktop.start = lambda command: "it ended at once with code 127"
    assert not open_link(world, url())
    assert "PrusaSlicer could not be started: it ended at once with code 127" in world.dialogs.texts[0]
    assert str(job) in world.dialogs.texts[0]


@pytest.fixture
def traps(job: Path, tmp_path: Path) -> Path:
    """What a hostile link would like to reach: beside storage, in it, and behind links."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in (outside, job.parent, job.parent.parent, tmp_path, job / "original"):
        for name in ("a.stl", "CON.stl", "a.exe", ".hidden.stl"):
            with contextlib.suppress(OSError):  # CON.stl is a device on Windows
                (folder / name).write_bytes(b"bait")
    for name, target in (("a.stl", outside / "a.stl"), ("out", outside)):
        with contextlib.suppress(OSError):  # Windows lets only some accounts make links
            (job / name).symlink_to(target)
    return job


def rules_for_opened(path: Path, job: Path) -> Iterator[bool]:
    yield path.is_absolute() and path.is_relative_to(job)
    yield os.path.realpath(path) == str(path)
    yield path.is_file() and path.suffix.lower() == ".stl"


def check(world: World, job: Path, link: str) -> None:
    world.started.clear()
    assert follow_link([link], world.desktop) == bool(world.started)
    for _, file in world.started:
        assert all(rules_for_opened(Path(file), job)), file


fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@settings(fuzz, max_examples=1_000)
@given(TEXTS)
@example(url("original/a.stl"))
def test_no_link_opens_anything_outside_the_job_s_folder(world: World, traps: Path, link: str) -> None:
    check(world, traps, link)


@pytest.mark.proof
@settings(fuzz, max_examples=30_000)
@given(TEXTS)
@example(url("original/a.stl"))
def test_no_link_of_tens_of_thousands_opens_anything_outside(world: World, traps: Path, link: str) -> None:
    check(world, traps, link)
