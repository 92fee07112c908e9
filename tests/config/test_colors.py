"""Which colors a lab may choose, and what is made of them."""

from __future__ import annotations

import pytest

from printsys.config.colors import BLACK, LEAST_CONTRAST, WHITE, contrast, mixed, readable


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(WHITE, BLACK, 21), (WHITE, WHITE, 1), ("#767676", WHITE, 4.54), ("#0f766e", WHITE, 5.47)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, expected: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(expected, abs=0.01)


def test_a_mixture_lies_between_its_colors() -> None:
    assert [mixed("#112131", WHITE, share) for share in (0, 0.5, 1)] == ["#112131", "#889098", WHITE]


@pytest.mark.parametrize("color", ["#0f766e", "#ffdd00", "#000000", "#7a0019"])
def test_a_color_is_changed_only_as_far_as_it_must_be_to_be_read(color: str) -> None:
    dark = readable(color, WHITE, "#1c2126")
    assert contrast(dark, "#1c2126") >= LEAST_CONTRAST
    assert readable(dark, WHITE, "#1c2126") == dark
