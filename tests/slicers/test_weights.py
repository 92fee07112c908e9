"""Grams: as stated, else volume × density, never 0 where the print uses something."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from printsys.slicers import SlicerFacts, Tool

LAB = {"PLA": Decimal("1.24"), "PETG": Decimal("1.27")}


def sliced(*tools: Tool, **fields: object) -> SlicerFacts:
    return SlicerFacts.model_validate({"family": "prusa", "program": "PrusaSlicer", "tools": tools, **fields})


def test_stated_grams_are_taken_without_a_word() -> None:
    facts = sliced(Tool(index=0, material="PLA", volume_cm3=Decimal("8"), weight_g=Decimal("9.99")), grams="9.99")
    assert facts.weight_g(LAB) == (Decimal("9.99"), ())


def test_a_profile_without_density_is_weighed_with_the_lab_s() -> None:
    weight = sliced(Tool(index=0, material="pla", volume_cm3=Decimal("0.93"))).weight_g(LAB)
    assert weight.grams == Decimal("1.15")
    assert weight.remarks == (
        "The file states no weight for pla: 1.15 g is 0.93 cm³ × 1.24 g/cm³ (the lab's density of PLA).",
    )


def test_the_density_in_the_file_comes_before_the_lab_s() -> None:
    tool = Tool(
        index=0,
        material="PLA",
        length_mm=Decimal("19829.1"),
        density_g_cm3=Decimal("1.24"),
        diameter_mm=Decimal("1.75"),
    )
    weight = sliced(tool).weight_g({"PLA": Decimal(2)})
    assert weight.grams == Decimal("59.14")  # as ideaMaker shows for this length
    assert "the density in the file" in weight.remarks[0]


def test_an_assumed_diameter_is_mentioned() -> None:
    weight = sliced(Tool(index=0, length_mm=Decimal(1000))).weight_g(LAB)
    assert weight.grams == Decimal("2.98")
    assert "for filament of 1.75 mm" in weight.remarks[0]


def test_a_material_that_the_lab_lacks_is_weighed_as_its_first_and_mentioned() -> None:
    weight = sliced(Tool(index=0, material="NYLON", volume_cm3=Decimal(10))).weight_g(LAB)
    assert weight.grams == Decimal("12.40")
    assert "NYLON is not one of the lab's" in weight.remarks[0]


def test_only_the_tool_without_a_weight_is_computed() -> None:
    facts = sliced(
        Tool(index=0, material="PLA", volume_cm3=Decimal(1), weight_g=Decimal("1.24")),
        Tool(index=2, material="PETG", volume_cm3=Decimal(2)),
    )
    weight = facts.weight_g(LAB)
    assert weight.grams == Decimal("1.24") + Decimal("2.54")
    assert len(weight.remarks) == 1 and "PETG" in weight.remarks[0]


def test_a_total_counts_where_the_tools_state_nothing() -> None:
    assert sliced(Tool(index=0, length_mm=Decimal(5)), grams="13.16").weight_g(LAB) == (Decimal("13.16"), ())


def test_without_any_density_the_weight_is_unknown_and_not_zero() -> None:
    weight = sliced(Tool(index=0, material="PLA", volume_cm3=Decimal(5))).weight_g({})
    assert weight.grams is None
    assert "please weigh the print" in weight.remarks[0]


def test_resin_is_weighed_by_its_millilitres() -> None:
    weight = SlicerFacts(resin_ml=Decimal("6.602652"), material="Orange Tough").weight_g({"Gray": Decimal("1.1")})
    assert weight.grams == Decimal("7.26")
    assert weight.remarks[0].startswith("The file states 6.60 ml: 7.26 g")


def test_a_file_that_uses_nothing_known_has_no_weight() -> None:
    assert SlicerFacts().weight_g(LAB) == (None, ())


AMOUNTS = st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=2) | st.none()
TOOLS = st.builds(
    Tool,
    index=st.integers(0, 15),
    material=st.sampled_from([None, "PLA", "PETG", "Wood"]),
    length_mm=AMOUNTS,
    volume_cm3=AMOUNTS,
    weight_g=AMOUNTS,
    density_g_cm3=st.none() | st.decimals(min_value=0, max_value=20, allow_nan=False, places=2),
)


@given(st.lists(TOOLS, max_size=4), AMOUNTS)
def test_used_filament_never_weighs_nothing(tools: list[Tool], grams: Decimal | None) -> None:
    facts = sliced(*tools, grams=grams)
    weight = facts.weight_g(LAB)
    assert weight.grams is None or weight.grams > 0
    if any(tool.is_used for tool in tools):
        assert weight.grams is not None
