"""A project is compared with the student's model by what turning and copying leave as it is."""

from __future__ import annotations

from decimal import Decimal

from printsys.slicers import Box, Placed, PlacedItem, differences

BOX = Box.model_validate({"low": (0, 0, 0), "high": (20, 30, 10)})
SIZE = (Decimal(10), Decimal(20), Decimal(30))


def placed(volume: str, bodies: int = 1, *, items: int = 0) -> Placed:
    """`items` equal things, or figures alone, as the record keeps them."""
    each = Decimal(volume) / items if items else Decimal(0)
    item = PlacedItem(name="a", box=BOX, volume_cm3=each, bodies=bodies // max(items, 1), triangles=12)
    return Placed(box=BOX, volume_cm3=Decimal(volume), bodies=bodies, triangles=12, items=(item,) * items)


def said(project: Placed, volume: str | None = "6", bodies: int | None = 1) -> list[str]:
    known = Decimal(volume) if volume is not None else None
    return list(differences(project, volume_cm3=known, bodies=bodies, size_mm=SIZE))


def test_the_same_model_turned_is_no_difference() -> None:
    assert said(placed("6.05")) == []
    assert said(placed("0"), volume=None) == []


def test_copies_are_counted() -> None:
    assert said(placed("18", 3, items=3)) == ["The project holds 3 copies of the student's model."]
    assert said(placed("18", 3)) == ["The project holds 3 copies of the student's model."]
    assert said(placed("12", 4, items=2), bodies=2) == ["The project holds 2 copies of the student's model."]


def test_a_scaled_model_is_said_with_its_scale() -> None:
    assert said(placed("48")) == ["The model in the project has 48 cm³, the student's 6 cm³, as if scaled to 200 %."]


def test_a_body_more_is_said() -> None:
    assert said(placed("7", 2)) == ["The project holds 2 bodies; the student's model has 1 body."]


def test_without_a_volume_the_sides_are_compared() -> None:
    project = Placed(
        box=Box.model_validate({"low": (0, 0, 0), "high": (40, 60, 20)}),
        volume_cm3=Decimal(0),
        bodies=1,
        triangles=1,
    )
    assert said(project, volume=None) == ["The model in the project is 40 × 60 × 20 mm, the student's 10 × 20 × 30 mm."]


def test_an_original_of_which_nothing_is_known_is_not_compared() -> None:
    assert list(differences(placed("6"), volume_cm3=None, bodies=None, size_mm=None)) == []
