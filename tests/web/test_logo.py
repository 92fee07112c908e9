"""The lab's logo in the head of the pages."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from pydantic import ValidationError

from printsys.config.lab import LabTable
from printsys.services import Services
from printsys.web import create_app
from printsys.web.logo import HEIGHT_PX, WIDTH_PX, LogoUnreadable, read_logo
from printsys.web.static_files import FOREVER
from tests.web.test_static_files import parts_of

MAROON = (122, 0, 25, 255)


def picture(path: Path, width: int, height: int) -> Path:
    Image.new("RGBA", (width, height), MAROON).convert("RGB" if path.suffix == ".jpg" else "RGBA").save(path)
    return path


def logo_app(services: Services, folder: Path) -> Flask:
    """A lab whose lab.toml would lie in `folder`, with `printlab.png` for its logo."""
    object.__setattr__(services.lab.about, "logo", "printlab.png")
    settings = services.settings.model_copy(update={"lab_config": folder / "lab.toml"})
    return create_app(replace(services, settings=settings))


@pytest.mark.parametrize("page", ["/submit", "/login"])
def test_its_pages_have_the_labs_logo(services: Services, tmp_path: Path, page: str) -> None:
    picture(tmp_path / "printlab.png", 1200, 400)
    client = logo_app(services, tmp_path).test_client()
    (address,) = [address for address in parts_of(client.get(page).text) if "lab-logo" in address]
    answer = client.get(address)
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("image/png", FOREVER)
    with Image.open(io.BytesIO(answer.data)) as shown:
        assert (shown.size, shown.getpixel((5, 5))) == ((192, 64), MAROON)
    assert 'width="96" height="32" alt=""' in client.get(page).text, "the name stands beside it"
    assert client.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_without_a_logo_nothing_is_asked_for(client: FlaskClient) -> None:
    assert not any("lab-logo" in address for address in parts_of(client.get("/submit").text))
    assert client.get("/static/lab-logo.png").status_code == 404


def test_a_logo_that_is_gone_takes_no_page_with_it(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = logo_app(services, tmp_path).test_client()
    assert client.get("/submit").status_code == 200
    assert not any("lab-logo" in address for address in parts_of(client.get("/submit").text))
    assert f"printlab.png is not there: it belongs beside lab.toml, in {tmp_path}." in caplog.text


@pytest.mark.parametrize(
    ("name", "size"), [("a.png", (3000, 200)), ("a.jpg", (100, 900)), ("a.gif", (1, 2)), ("a.webp", (64, 64))]
)
def test_any_picture_becomes_a_small_one(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    logo = read_logo(picture(tmp_path / name, *size))
    with Image.open(io.BytesIO(logo.png)) as shown:
        assert (shown.format, shown.width <= WIDTH_PX, shown.height <= HEIGHT_PX) == ("PNG", True, True)
        assert shown.width / shown.height == pytest.approx(size[0] / size[1], rel=0.15)
    assert min(logo.width, logo.height) >= 1


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("logo.png", b"", "cannot be read as a PNG, JPEG, WebP or GIF picture"),
        ("logo.png", b"<html>", "cannot be read"),
        ("logo.png", None, "is not there: it belongs beside lab.toml"),
    ],
)
def test_what_is_no_picture_is_told_as_such(tmp_path: Path, name: str, data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(LogoUnreadable, match=words):
        read_logo(tmp_path / name)


def test_what_a_picture_carries_besides_its_dots_is_left_out(tmp_path: Path) -> None:
    """A print shop's color profile is larger than a page may be; a cut EXIF kept the system from starting."""
    path = tmp_path / "logo.png"
    Image.new("RGB", (200, 100)).save(path, icc_profile=random.Random(1).randbytes(500_000), exif=b"Exif\0\0II*\0")
    assert len(read_logo(path).png) < 2000


def test_a_picture_that_was_cut_short_or_is_far_too_large_is_refused(tmp_path: Path) -> None:
    path = picture(tmp_path / "logo.png", 300, 300)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(LogoUnreadable, match="cannot be read"):
        read_logo(path)
    Image.new("I;16", (30, 30), 20_000).save(path)
    with pytest.raises(LogoUnreadable, match="16 bits for each dot"):
        read_logo(path)
    Image.new("1", (30_000, 3000)).save(path)
    with pytest.raises(LogoUnreadable, match="too large: 30000 × 3000 dots"):
        read_logo(path)


@pytest.mark.parametrize(
    "name", ["../logo.png", "pictures/logo.png", "C:\\logo.png", "/etc/logo.png", "..", ".env", "logo.svg"]
)
def test_a_logo_lies_beside_lab_toml(services: Services, name: str) -> None:
    with pytest.raises(ValidationError, match=r"picture that lies beside lab\.toml"):
        LabTable.model_validate(services.lab.about.model_dump() | {"logo": name})
