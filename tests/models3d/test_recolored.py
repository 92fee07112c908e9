"""A picture that was drawn before anybody knew the color."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from printsys.models3d import samples, thumbnail
from printsys.models3d.mesh import load
from printsys.models3d.paint import HEAD, has_mark, recolored


def pixels(png: bytes) -> npt.NDArray[np.float32]:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA"), np.float32)


@pytest.fixture(scope="module")
def triangles(tmp_path_factory: pytest.TempPathFactory) -> npt.NDArray[np.floating]:
    path = tmp_path_factory.mktemp("recolored") / "vase.stl"
    path.write_bytes(samples.sample("vase", "stl"))
    return load(path).triangles


@pytest.mark.parametrize("color", ["True Red", "True Black", "True White", "Electric Blue", "Glow in the Dark"])
def test_it_looks_as_if_it_had_been_drawn_in_that_color(triangles: npt.NDArray[np.floating], color: str) -> None:
    plain, drawn = thumbnail.render(triangles, 128), thumbnail.render(triangles, 128, color)
    ours = recolored(plain, color)
    difference = np.abs(pixels(ours) - pixels(drawn))[..., :3][pixels(drawn)[..., 3] > 250]
    assert difference.mean() < 6, "of 255"
    assert np.abs(pixels(plain) - pixels(drawn))[..., :3][pixels(drawn)[..., 3] > 250].mean() > 20
    assert has_mark(ours[:HEAD], color)


def test_open_edges_stay_red_and_the_ground_stays_gray(triangles: npt.NDArray[np.floating]) -> None:
    edges = triangles[:40, :2]
    before = thumbnail.render(triangles, 128, open_edges=edges)
    after = pixels(recolored(before, "Forest Green"))
    red = (pixels(before)[..., 0] > 200) & (pixels(before)[..., 2] < 90)
    ground = (pixels(before)[..., 3] > 0) & (pixels(before)[..., 3] < 168)
    assert red.any() and np.array_equal(after[red], pixels(before)[red])
    assert ground.any() and np.array_equal(after[ground], pixels(before)[ground])


def test_a_picture_in_another_color_stays_as_it_is(triangles: npt.NDArray[np.floating]) -> None:
    drawn = thumbnail.render(triangles, 64, "True Red")
    assert recolored(drawn, "Blue") == drawn
