"""Pictures, and the page to turn a model on: for every mesh in the collection, near and far, large and tiny."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from printsys.models3d.mesh import load
from printsys.models3d.paint import PLAIN, look_of
from printsys.models3d.raster import nearest
from printsys.models3d.samples import SAMPLES, sample
from printsys.models3d.thumbnail import MARGIN, draw, render
from printsys.models3d.viewer import page, simplified
from tests.corpus import CORPUS, files
from tests.factories import LAB
from tests.models3d.test_inspect import OBJ, PACKAGES, REFUSED, STL

SOFTWARE_GL = ["--no-sandbox", "--use-gl=swiftshader", "--enable-unsafe-swiftshader"]
NO_SURFACE = {"3mf-model/3mfsamples_beam lattice_pyramid.3mf", "3mf-model/3mfsamples_beam lattice_variable voronoi.3mf"}
DRAWN = (STL.keys() | OBJ.keys() | PACKAGES.keys()) - REFUSED.keys() - NO_SURFACE


def pixels(png: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_mesh_is_drawn_framed_and_shaded(name: str) -> None:
    picture = pixels(draw(CORPUS / name, 256))
    opaque = picture[..., 3] > 200
    rows, columns = np.nonzero(picture[..., 3] > 20)
    assert picture.shape == (256, 256, 4)
    assert max(np.ptp(rows), np.ptp(columns)) == pytest.approx(256 * (1 - 2 * MARGIN), abs=3)
    assert not picture[:8].any() and not picture[-8:].any()
    if opaque.any():
        brightness = picture[opaque][:, :3].mean(axis=1)
        assert brightness.min() > 20 and brightness.max() < 235  # seen on white and on black


def test_the_collection_is_not_forgotten() -> None:
    assert not CORPUS.is_dir() or len(DRAWN) > 70
    assert files("no such kind") == []


@pytest.mark.parametrize("name", SAMPLES)
def test_sides_that_face_elsewhere_have_another_shade(name: str) -> None:
    picture = pixels(render(SAMPLES[name]().triangles, 128))
    assert np.ptp(picture[picture[..., 3] == 255][:, :3].mean(axis=1)) > 40


def plate(*boxes: tuple[tuple[float, float, float], tuple[float, float, float]]) -> npt.NDArray[np.floating]:
    """Triangles of boxes, each by its size and its middle."""
    return np.concatenate([trimesh.creation.box(size).triangles + at for size, at in boxes])


def step(height: float) -> npt.NDArray[np.floating]:
    """A tablet of 60 × 30 × 4 mm, a third of which is lower."""
    return plate(((40, 30, 4), (0, 0, 2)), ((20, 30, 4 - height), (30, 0, 2 - height / 2)))


def shades_along(triangles: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Of the top, from the left to the right."""
    picture = pixels(render(triangles, 256)).astype(float)
    opaque = picture[..., 3] == 255
    row = int(np.nonzero(opaque.any(axis=1))[0].mean())
    line: npt.NDArray[np.floating] = picture[row][opaque[row]][:, :3].mean(axis=1)
    return line


def test_a_shallow_step_in_a_flat_top_is_drawn_as_a_line() -> None:
    # FAULTS M13: engraved text vanished, flat tops merged.
    level, stepped = shades_along(step(0.0)), shades_along(step(0.8))
    middle = slice(30, -30)
    assert np.abs(np.diff(level[middle])).max() < 2
    assert np.abs(np.diff(stepped[middle])).max() > 25


def test_a_lower_top_is_darker() -> None:
    line = shades_along(step(2.0))
    assert line.max() > np.median(line[-25:]) + 5


def test_a_model_stands_on_a_ground_that_is_half_clear() -> None:
    picture = pixels(render(plate(((20, 20, 20), (0, 0, 10))), 256))
    clear = (picture[..., 3] > 20) & (picture[..., 3] < 200)
    model = picture[..., 3] == 255
    assert clear.sum() > 0.03 * model.sum()
    below = np.nonzero(clear.any(axis=1))[0].max()
    assert below > np.nonzero(model.any(axis=1))[0].max(), "the ground goes on before the model"


def test_a_relief_finer_than_the_picture_is_not_all_lines() -> None:
    random = np.random.default_rng(7)
    heights = random.uniform(0, 0.02, (900, 900))
    at = np.linspace(0, 1, 900)
    points = np.stack([*np.meshgrid(at, at), heights], axis=-1)
    rough = np.stack([points[:-1, :-1], points[:-1, 1:], points[1:, 1:]], axis=2).reshape(-1, 3, 3)
    picture = pixels(render(rough, 256))
    opaque = picture[picture[..., 3] == 255][:, :3].mean(axis=1)
    flat = points.copy()
    flat[..., 2] = 0
    smooth = np.stack([flat[:-1, :-1], flat[:-1, 1:], flat[1:, 1:]], axis=2).reshape(-1, 3, 3)
    plain = pixels(render(smooth, 256))
    assert opaque.mean() > 0.6 * plain[plain[..., 3] == 255][:, :3].mean()


@pytest.mark.parametrize("color", sorted({color for method in LAB.methods for color in method.colors}))
def test_each_color_of_the_lab_has_a_look_of_its_own(color: str) -> None:
    # FAULTS M13: every picture was of the same blue.
    assert look_of(color) != PLAIN
    picture = pixels(render(plate(((20, 20, 20), (0, 0, 10))), 128, color))
    brightness = picture[picture[..., 3] == 255][:, :3].mean(axis=1)
    assert brightness.min() > 20 and brightness.max() < 235, "seen on white and on black"
    assert np.ptp(brightness) > 25, "its sides differ"


def test_a_color_that_the_lab_added_looks_like_the_last_word_of_its_name() -> None:
    assert look_of("Galaxy Black") == look_of("Black") and look_of("blue-green") == look_of("Green")
    assert look_of("Marble") == look_of("") == look_of(None) == PLAIN


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("place", [0.0, 3e3])
def test_neither_size_nor_place_changes_the_picture(factor: float, place: float) -> None:
    box = trimesh.creation.box((3, 2, 1)).triangles
    moved = pixels(render((box + place) * factor, 64)).astype(int)
    assert np.abs(moved - pixels(render(box, 64))).mean() < 0.5


def test_the_nearer_triangle_hides_the_farther() -> None:
    square = np.array([[2, 2], [14, 2], [14, 14], [2, 14]], np.float32)
    faces = [square[[0, 1, 2]], square[[0, 2, 3]]]
    far, near = (np.dstack([faces, np.full((2, 3), depth)]) for depth in (0.9, 0.1))
    corners = np.concatenate([far, near, far]).transpose(2, 1, 0).astype(np.float32)
    front, depth = nearest(corners, 16)
    assert set(np.unique(front)) == {-1, 2, 3}
    assert (front >= 0).sum() == 12 * 12 and depth[8, 8] == pytest.approx(0.1)


def test_neighbors_leave_no_gap() -> None:
    fan = trimesh.creation.cylinder(radius=1, height=1, sections=700).triangles
    picture = pixels(render(fan, 256))[..., 3]
    for row in picture[(picture == 255).any(axis=1)][2:-2]:
        columns = np.nonzero(row == 255)[0]
        assert len(columns) == np.ptp(columns) + 1


def test_a_mesh_that_hides_most_of_itself_is_drawn_coarser_but_drawn() -> None:
    squares = np.repeat(trimesh.creation.box((1, 1, 1)).triangles, 40, axis=0)
    picture = pixels(render(squares, 512))
    assert picture.shape == (512, 512, 4) and picture[256, 256, 3] == 255


# -- the page -------------------------------------------------------------------------------------------------------


def test_a_large_mesh_is_simplified_and_keeps_its_shape(tmp_path: Path) -> None:
    path = tmp_path / "ball.stl"
    ball = trimesh.creation.icosphere(subdivisions=7, radius=20)
    ball.export(path)
    points, faces = simplified(load(path), most=20_000)
    fewer = trimesh.Trimesh(points, faces)
    assert 5_000 < len(faces) <= 20_000
    assert fewer.volume == pytest.approx(ball.volume, rel=0.01)
    assert fewer.extents == pytest.approx(ball.extents, rel=0.01)


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("kind", ["stl", "3mf"])
def test_the_page_shows_the_model_in_a_sandbox_without_a_network(kind: str, tmp_path: Path) -> None:
    model = tmp_path / f"gear <1>.{kind}" if kind == "3mf" else tmp_path / "gear.stl"
    model.write_bytes(sample("gear", kind))
    # In a thread of its own: other tests of this process may have a browser open, and Playwright allows one a thread.
    with ThreadPoolExecutor(1) as thread:
        colors, requested = thread.submit(_shown, page(model)).result()
    assert colors > 5
    assert all(url.startswith(("data:", "blob:", "about:")) for url in requested)


def _shown(html: str) -> tuple[int, list[str]]:
    """How many colors the page has in a sandboxed frame, and what it asked the network for."""
    requested: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--use-gl=swiftshader", "--enable-unsafe-swiftshader"],
        )
        view = browser.new_page(viewport={"width": 300, "height": 300}, offline=True)
        view.on("request", lambda request: requested.append(request.url))
        view.set_content('<iframe sandbox="allow-scripts" width="280" height="280" style="border:0"></iframe>')
        view.eval_on_selector("iframe", "(frame, html) => { frame.srcdoc = html }", html)
        view.frame_locator("iframe").locator("canvas").wait_for()
        colors = _colors_until_drawn(view)
        browser.close()
    return colors, requested


def _colors_until_drawn(view: Page) -> int:
    """The loader draws some frames after the canvas is there; a page that stays blank has one color."""
    for _ in range(100):
        shot = Image.open(io.BytesIO(view.screenshot())).convert("RGB")
        colors = len(shot.getcolors(1 << 20) or ())
        if colors > 5:
            return colors
        view.evaluate("() => new Promise(requestAnimationFrame)")
    return colors
