"""What a student sees of a chosen model before sending it, and what staff need not type once it is sliced."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from printsys.config import ROOT
from tests.browser.conftest import log_in, require_accessible
from tests.browser.test_whole_life import box_stl, fill_form
from tests.present import present
from tests.running_system import System
from tests.waiting import until

pytestmark = pytest.mark.needs("chromium")


def chosen(page: Page, folder: Path, name: str, content: bytes) -> Locator:
    """The article about the file, once the student chose it."""
    model = folder / name
    model.write_bytes(content)
    page.get_by_label("Model files").set_input_files(model)
    return page.get_by_role("article", name=name)


def with_a_hole() -> bytes:
    """The box without one of its triangles."""
    head, first, *rest = box_stl(30.0).split(b"facet normal")
    assert first
    return b"facet normal".join([head, *rest])


def test_a_chosen_model_shows_its_picture_size_and_price_before_it_is_sent(
    system: System, page: Page, tmp_path: Path
) -> None:
    system.start()
    page.goto(f"{system.url}/submit")
    fill_form(page, written(tmp_path / "box.stl", box_stl(60.0)))
    article = page.get_by_role("article", name="box.stl")
    picture = article.get_by_role("img", name="Picture of box.stl")
    expect(picture).to_be_visible()
    expect(article).to_contain_text("60 × 60 × 60 mm")
    expect(article).to_contain_text("Prusa MK4S250 × 210 × 220 mm")
    expect(article).to_contain_text("a guess until we have sliced it")
    expect(article).to_contain_text("Looks printable.")
    assert picture.evaluate("image => image.naturalWidth") > 100
    assert [p for p in system.storage.glob("*/*") if p.parent.name != ".printsys"] == [], "nothing was submitted"
    require_accessible(page)

    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.documentElement.scrollHeight") <= 3 * 844, "with the check, it fits three screens"
    box = article.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_the_guess_has_the_discount_for_own_material_once_it_is_ticked(
    system: System, page: Page, tmp_path: Path
) -> None:
    lab = (ROOT / "lab.toml").read_text("utf-8")
    for line in ("[[prices.rules]]", 'name = "Own material"', "percent = 50", "own_material = true"):
        assert f"# {line}" in lab
        lab = lab.replace(f"# {line}", line)
    (tmp_path / "lab.toml").write_text(lab, "utf-8")
    system.start(LAB_CONFIG=str(tmp_path / "lab.toml"))
    page.goto(f"{system.url}/submit")
    fill_form(page, written(tmp_path / "box.stl", box_stl(60.0)))
    article = page.get_by_role("article", name="box.stl")
    expect(article).to_contain_text("a guess until we have sliced it")
    expect(article).not_to_contain_text("Own material")
    page.locator("#own_material").check()
    expect(article).to_contain_text("Own material")


def test_the_findings_follow_the_chosen_printer_without_a_second_upload(
    system: System, page: Page, tmp_path: Path
) -> None:
    system.start()
    page.goto(f"{system.url}/submit")
    fill_form(page, written(tmp_path / "tall.stl", box_stl(255.0)))
    article = page.get_by_role("article", name="tall.stl")
    expect(article).to_contain_text("too large for the Prusa MK4S")
    with page.expect_request("**/submit/check") as second_check:
        page.get_by_label("Printer").select_option("prusa-xl")
    expect(article).to_contain_text("Looks printable.")
    assert len(second_check.value.post_data_buffer or b"") < 2_000, "the file was not sent again"


def test_a_model_too_large_for_the_printer_offers_the_others_that_it_fits(
    system: System, page: Page, tmp_path: Path
) -> None:
    system.start()
    page.goto(f"{system.url}/submit")
    fill_form(page, written(tmp_path / "tall.stl", box_stl(255.0)))
    article = page.get_by_role("article", name="tall.stl")
    expect(article.get_by_role("list", name="Where it fits")).to_contain_text("too large for the Prusa MK4S")
    expect(page.get_by_label("Printer").locator("option[value=prusa-mk4s]")).to_have_text(
        re.compile("^Too small: Prusa MK4S")
    )
    article.get_by_role("button", name="Use the Prusa XL").click()
    expect(page.get_by_label("Printer")).to_have_value("prusa-xl")
    expect(page.get_by_label("Printer")).to_be_focused()
    expect(article).to_contain_text("Looks printable.")


def test_the_picture_is_in_the_chosen_color(system: System, page: Page, tmp_path: Path) -> None:
    system.start()
    page.goto(f"{system.url}/submit")
    fill_form(page, written(tmp_path / "box.stl", box_stl(60.0)))
    picture = page.get_by_role("article", name="box.stl").get_by_role("img")
    expect(picture).to_be_visible()

    def middle_color() -> list[int]:
        colors: list[int] = picture.evaluate(
            """image => {
                const canvas = document.createElement("canvas");
                canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
                const context = canvas.getContext("2d");
                context.drawImage(image, 0, 0);
                return [...context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
            }"""
        )
        return colors

    red, green, blue, _ = middle_color()
    assert red > 2 * max(green, blue), "True Red"
    page.get_by_label("Color").select_option("Electric Blue")
    until(lambda: middle_color()[2] > 2 * middle_color()[0])


def test_only_what_cannot_be_printed_stands_in_the_way(system: System, page: Page, tmp_path: Path) -> None:
    system.start()
    page.goto(f"{system.url}/submit")
    fill_form(page, written(tmp_path / "flat.stl", box_stl(20.0).replace(b" 20.0\n", b" 0\n")))
    article = page.get_by_role("article", name="flat.stl")
    expect(article).to_contain_text("Cannot print. This model is flat")
    button = page.get_by_role("button", name="Send to the lab")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description("flat.stl cannot be printed: please mend it, or choose another file.")
    button.press("Enter")
    expect(button).to_have_text("Send to the lab")
    expect(article).to_contain_text("Cannot print. This model is flat")
    expect(page.get_by_label("E-mail")).to_have_value("jose@example.edu")

    article = chosen(page, tmp_path, "holes.stl", with_a_hole())
    expect(article).to_contain_text("The surface has holes")
    expect(article).to_contain_text("Probably wrong.")
    page.get_by_role("button", name="Send to the lab").click()
    page.wait_for_url("**/submit/success?job=*")


def test_without_javascript_the_same_is_shown_after_sending(system: System, page: Page, tmp_path: Path) -> None:
    system.start()
    context = present(page.context.browser).new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"{system.url}/submit")
    fill_form(plain, written(tmp_path / "holes.stl", with_a_hole()))
    plain.get_by_role("button", name="Send to the lab").click()
    plain.wait_for_url("**/submit/success?job=*")
    article = plain.get_by_role("article", name="holes.stl")

    def has_picture() -> bool:
        if article.get_by_role("img").count() == 0:  # until the worker has looked at it
            assert "We have not looked at it yet" in article.inner_text()
            plain.reload()
        return article.get_by_role("img").count() > 0

    until(has_picture)
    expect(article).to_contain_text("The surface has holes")
    expect(article).not_to_contain_text("a guess until we have sliced it")
    context.close()


@pytest.mark.needs("prusa-slicer")
def test_what_prusaslicer_saved_fills_the_approval_in(system: System, page: Page, tmp_path: Path) -> None:
    system.start()
    page.goto(f"{system.url}/submit")
    fill_form(page, written(tmp_path / "box.stl", box_stl(30.0)))
    page.get_by_role("button", name="Send to the lab").click()
    page.wait_for_url("**/submit/success?job=*")
    job_id = page.locator(".job-number").inner_text()
    folder = system.folder(job_id)
    model, gcode = folder / f"{folder.name}.stl", folder / "box 30.gcode"
    density = ["--filament-type", "PLA", "--filament-density", "1.24"]
    command = ["prusa-slicer", "--export-gcode", *density, "--output", str(gcode), str(model)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)

    log_in(page, system)
    # Until the record has it: a file that is recorded later turns away a click on a page of before.
    until(lambda: any(record["name"] == gcode.name and record["slicer"] for record in files_of(system, job_id)), 60)
    page.goto(f"{system.url}/dashboard/jobs/{job_id}")
    expect(page.get_by_text("from box 30.gcode, PrusaSlicer 2.")).to_be_visible()
    grams = float(page.get_by_label("Weight in grams").input_value())
    assert 5 < grams < 30
    hours = float(page.get_by_label("Printing time in hours").input_value())
    assert hours * 2 == int(hours * 2) > 0, "up to the half hour"
    expect(page.locator("output")).to_have_text("$3.00, the minimum charge")
    page.get_by_role("button", name="Approve and e-mail").click()
    expect(page.get_by_text("Approved at $3.00. José")).to_be_visible()


def files_of(system: System, job_id: str) -> list[dict[str, Any]]:
    document = json.loads((system.folder(job_id) / "metadata.json").read_bytes())
    return list(document["files"])


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
