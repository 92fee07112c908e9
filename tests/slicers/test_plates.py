"""A package of plates: those with G-code count, and show their own pictures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from printsys import slicers
from printsys.slicers import SlicerFacts
from tests.corpus import CORPUS

Color = tuple[int, int, int, int]
RED, GREEN, BLUE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
EMPTY = (255, 255, 255, 0)


def package(tmp_path: Path, stated: Iterable[int], sliced: Iterable[int], pictures: Mapping[str, bytes]) -> Path:
    """Each plate is stated with 10 g and 100 s times its number."""
    plates = "".join(
        f'<plate><metadata key="index" value="{n}"/><metadata key="prediction" value="{n * 100}"/>'
        f'<metadata key="weight" value="{n * 10}"/><object name="part {n}"/>'
        f'<filament id="1" type="PLA" used_m="{n}" used_g="{n * 10}"/></plate>'
        for n in stated
    )
    path = tmp_path / "plates.gcode.3mf"
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("Metadata/slice_info.config", f"<config>{plates}</config>")
        for n in sliced:
            parts.writestr(f"Metadata/plate_{n}.gcode", "; BambuStudio 02.04.00.70\nG1 X1\n")
        for name, data in pictures.items():
            parts.writestr(name, data)
    return path


def png(color: Color, side: int = 128) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (side, side), color).save(out, "PNG")
    return out.getvalue()


def read(path: Path) -> SlicerFacts:
    facts = slicers.read(path)
    assert facts is not None
    return facts


def color_of(picture: bytes | None) -> Color | None:
    if picture is None:
        return None
    with Image.open(io.BytesIO(picture)) as image:
        colors = image.convert("RGBA").getcolors()
    assert colors is not None and len(colors) == 1
    color = colors[0][1]
    assert isinstance(color, tuple) and len(color) == 4
    return color


def test_plates_without_g_code_are_not_summed(tmp_path: Path) -> None:
    # FAULTS M7: a file with the fourth plate alone was weighed with all four.
    facts = read(package(tmp_path, stated=(1, 2, 3, 4), sliced=(4,), pictures={}))
    assert (facts.grams, facts.time_s, facts.objects) == (Decimal(40), 400, ("part 4",))
    assert [plate.index for plate in facts.plates] == [4]
    assert facts.warnings == ("Not in the file, and not counted, is the G-code of plate 1, 2, 3.",)


def test_plates_with_g_code_are_summed(tmp_path: Path) -> None:
    facts = read(package(tmp_path, stated=(1, 2, 3), sliced=(2, 3), pictures={}))
    assert (facts.grams, facts.time_s, facts.length_mm) == (Decimal(50), 500, Decimal(5000))
    assert "holds 2 plates" in facts.warnings[0]


@pytest.mark.needs("corpus")
def test_the_reported_file_with_one_plate_s_g_code_weighs_that_plate() -> None:
    facts = read(CORPUS / "reported" / "plate4only.gcode.3mf")
    assert (facts.grams, facts.time_s) == (Decimal(40), 4000)


PLATES = {f"Metadata/plate_{n}.png": png(color) for n, color in enumerate((RED, GREEN, BLUE), 1)}


@pytest.mark.parametrize(("sliced", "color"), [((1,), RED), ((2,), GREEN), ((3,), BLUE), ((2, 3), GREEN), ((), RED)])
def test_the_picture_is_that_of_the_plate_with_g_code(tmp_path: Path, sliced: tuple[int, ...], color: Color) -> None:
    # FAULTS M6: a file of the second plate showed the first.
    path = package(tmp_path, stated=(1, 2, 3), sliced=sliced, pictures=PLATES)
    assert color_of(slicers.picture(path, name=path.name if sliced else "project.3mf")) == color


def test_a_larger_picture_of_a_plate_that_is_not_here_is_not_shown(tmp_path: Path) -> None:
    path = package(tmp_path, (1, 2), sliced=(2,), pictures=PLATES | {"Metadata/plate_1.png": png(RED, 512)})
    assert color_of(slicers.picture(path)) == GREEN


def test_an_empty_picture_is_never_shown(tmp_path: Path) -> None:
    """Neither it nor one of another plate's, but one of the whole package."""
    pictures = PLATES | {"Metadata/plate_2.png": png(EMPTY)}
    assert slicers.picture(package(tmp_path, (1, 2), sliced=(2,), pictures=pictures)) is None
    pictures |= {"Metadata/thumbnail.png": png(BLUE)}
    assert color_of(slicers.picture(package(tmp_path, (1, 2), sliced=(2,), pictures=pictures))) == BLUE


def test_an_empty_picture_of_one_plate_leaves_the_other_s(tmp_path: Path) -> None:
    pictures = PLATES | {"Metadata/plate_2.png": png(EMPTY)}
    assert color_of(slicers.picture(package(tmp_path, (2, 3), sliced=(2, 3), pictures=pictures))) == BLUE


def test_pictures_are_listed_in_the_order_of_plates_with_g_code(tmp_path: Path) -> None:
    pictures = {f"Metadata/plate_{n}.png": png(RED) for n in (1, 2, 10)}
    facts = read(package(tmp_path, (1, 2, 10), sliced=(2, 10), pictures=pictures))
    assert [shown.where for shown in facts.thumbnails] == [f"Metadata/plate_{n}.png" for n in (2, 10, 1)]


@pytest.mark.needs("corpus")
def test_the_reported_file_of_the_second_plate_shows_it() -> None:
    assert color_of(slicers.picture(CORPUS / "reported" / "plate2-of-3.gcode.3mf")) == GREEN
