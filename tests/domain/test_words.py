from printsys.domain.status import NAMES, Status, in_words


def test_a_sentence_says_statuses_as_people_do_and_leaves_paths_alone() -> None:
    assert NAMES.keys() == set(Status)
    assert in_words("this one is PaidPickedUp.") == "this one is “Paid & picked up”."
    path = "ReadyToPrint/JaneDoe_Filament_TrueRed_k7m29xq4"
    assert in_words(f"{path} is in ReadyToPrint, not C:\\x\\ReadyToPrint") == (
        f"{path} is in “Ready to print”, not C:\\x\\ReadyToPrint"
    )
