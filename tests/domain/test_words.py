from decimal import Decimal

import pytest

from printsys.domain.status import NAMES, Status, in_words
from printsys.domain.words import counted, is_typed


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 copies"),
        (1, "1 copy"),
        (2, "2 copies"),
        (12000, "12,000 copies"),
        (Decimal("1.0"), "1 copy"),
        (Decimal("3.50"), "3.5 copies"),
        (Decimal("100"), "100 copies"),
    ],
)
def test_one_is_counted_in_the_singular(number: int | Decimal, words: str) -> None:
    assert counted(number, "copy", "copies") == words
    assert counted(number, "hour") == words.replace("copies", "hours").replace("copy", "hour")


def test_a_sentence_says_statuses_as_people_do_and_leaves_paths_alone() -> None:
    assert NAMES.keys() == set(Status)
    assert in_words("this one is PaidPickedUp.") == "this one is “Picked up”."
    path = "ReadyToPrint/JaneDoe_Filament_TrueRed_k7m29xq4"
    assert in_words(f"{path} is in ReadyToPrint, not C:\\x\\ReadyToPrint") == (
        f"{path} is in “Ready to print”, not C:\\x\\ReadyToPrint"
    )


def test_a_phrase_is_typed_as_people_type() -> None:
    assert is_typed("prune 2,000 jobs", " Prune  2000 jobs ")
    assert not is_typed("prune 12 jobs", "prune 1 2 jobs") and not is_typed("prune 1 job", "")
