"""Names that every computer of the lab can hold, and ids that people can say."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from printsys.domain import naming

ID = "k7m29xq4"
anything = st.text(max_size=200)
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])", re.IGNORECASE)


def is_safe(name: str) -> bool:
    """Microsoft's rules (https://learn.microsoft.com/windows/win32/fileio/naming-a-file), and visible in any shell."""
    return (
        name != ""
        and name.isascii()
        and re.search(r'[<>:"/\\|?*\x00-\x1f\x7f]', name) is None
        and not name.endswith((" ", "."))
        and not name.startswith((" ", ".", "~", "-"))
        and DEVICES.fullmatch(name.split(".")[0].rstrip(" ")) is None
    )


@pytest.mark.parametrize(
    ("student", "method", "color", "name"),
    [
        ("Jane Doe", "Filament", "True Red", f"JaneDoe_Filament_TrueRed_{ID}"),
        ("José Ñandú", "Filament", "Glow in the Dark", f"JoseNandu_Filament_GlowInTheDark_{ID}"),
        ("李明", "Resin", "Clear", f"LiMing_Resin_Clear_{ID}"),
        ("Conan O'Brien", "Filament", "Blue", f"ConanOBrien_Filament_Blue_{ID}"),
        ("mary-jane van der Berg", "Filament", "Blue", f"MaryJaneVanDerBerg_Filament_Blue_{ID}"),
        ("…", "Filament", "Blue", f"Student_Filament_Blue_{ID}"),
        ("", "", "", f"Student_Method_Color_{ID}"),
        ("NUL", "Filament", "Blue", f"NUL_Filament_Blue_{ID}"),
        ("../../etc", "Filament", "a/b", f"Etc_Filament_AB_{ID}"),
    ],
)
def test_a_job_folder_is_named_for_student_method_and_colour(student: str, method: str, color: str, name: str) -> None:
    assert naming.folder_name(student, method, color, ID) == name


@given(student=anything, method=anything, color=anything, bits=st.integers(0, 2**naming.ID_BITS - 1))
def test_any_names_make_a_safe_folder_name_that_ends_with_the_id(
    student: str, method: str, color: str, bits: int
) -> None:
    job_id = naming.job_id(bits)
    name = naming.folder_name(student, method, color, job_id)
    assert is_safe(name)
    assert len(name) <= naming.FOLDER_NAME_LIMIT
    assert re.fullmatch(r"[A-Za-z0-9]+_[A-Za-z0-9]+_[A-Za-z0-9]+_[a-z0-9]{8}", name)
    assert naming.id_in_folder_name(name) == job_id
    assert naming.id_in_folder_name(name.upper()) == job_id


@pytest.mark.parametrize(
    ("sent", "safe"),
    [
        ("bracket v2.stl", "bracket v2.stl"),
        ("Türgriff 门.STL", "Turgriff Men.STL"),
        (r"C:\Users\jane\cat.obj", "cat.obj"),
        ("../../../etc/passwd.stl", "passwd.stl"),
        ("..\\..\\cat.stl", "cat.stl"),
        ("con.stl", "con_.stl"),
        ("COM1.tar.stl", "COM1_.tar.stl"),
        ("nul .stl", "nul_.stl"),
        ("COM¹.stl", "COM1_.stl"),
        ("name. . .", "name"),
        (".stl", "model.stl"),
        ("...", "model"),
        ("", "model"),
        ("~$cat.stl", "$cat.stl"),
        ("-rf.stl", "rf.stl"),
        ("a:b|c?.stl", "a_b_c_.stl"),
        ("cat.stl:hidden", "cat.stl_hidden"),
        ("½.stl", "1_2.stl"),
        ("line\nend.stl", "line_end.stl"),
    ],
)
def test_a_students_file_name_becomes_one_that_every_computer_can_hold(sent: str, safe: str) -> None:
    assert naming.safe_file_name(sent) == safe


@given(name=anything, limit=st.integers(24, naming.FILE_NAME_LIMIT))
@example(name="con" + "." * 30 + "x" * 80 + ".stl", limit=24)
@example(name="a" * 22 + " .b.stl", limit=24)
@example(name="lpt1.aux.3mf", limit=24)
@example(name="0\u20250.", limit=24)
@example(name="111111\u20251\u2025\u2025\u2025\u2025\u2026\u2026_", limit=24)
def test_any_file_name_becomes_a_safe_one_and_stays_so(name: str, limit: int) -> None:
    safe = naming.safe_file_name(name, limit)
    assert is_safe(safe)
    assert len(safe) <= limit
    assert naming.safe_file_name(safe, limit) == safe


@given(stem=anything, extension=st.sampled_from(["stl", "STL", "obj", "3mf", "gcode", "bgcode"]))
def test_the_extension_survives_any_shortening(stem: str, extension: str) -> None:
    assert naming.safe_file_name(f"{stem}.{extension}", 24).endswith(f".{extension}")


def test_names_that_one_file_system_takes_for_the_same_are_told_apart() -> None:
    used = {naming.comparable(name) for name in ("Cat.stl", "cat 2.STL")}
    assert naming.distinct("cat.stl", used) == "cat 3.stl"
    assert naming.distinct("dog.stl", used) == "dog.stl"
    assert naming.distinct("CAT", {"cat"}) == "CAT 2"


@given(text=anything)
def test_composed_and_decomposed_letters_are_the_same_name(text: str) -> None:
    assert naming.comparable(unicodedata.normalize("NFC", text)) == naming.comparable(
        unicodedata.normalize("NFD", text)
    )


@given(text=st.text(st.characters(max_codepoint=127)))
def test_capitals_and_small_letters_are_the_same_name(text: str) -> None:
    assert naming.comparable(text.upper()) == naming.comparable(text.lower())


def test_ids_are_eight_speakable_letters_and_differ_when_their_bits_do() -> None:
    assert naming.job_id(0) == "00000000"
    assert naming.job_id(2**naming.ID_BITS - 1) == "zzzzzzzz"
    assert not set("ilou") & set(naming.ID_ALPHABET)
    assert len(naming.ID_ALPHABET) == 32


@given(first=st.integers(0, 2**naming.ID_BITS - 1), second=st.integers(0, 2**naming.ID_BITS - 1))
def test_two_ids_are_the_same_only_if_their_bits_are(first: int, second: int) -> None:
    assert (naming.job_id(first) == naming.job_id(second)) is (first == second)


@given(bits=st.integers(0, 2**naming.ID_BITS - 1))
def test_an_id_is_understood_as_people_type_and_mishear_it(bits: int) -> None:
    job_id = naming.job_id(bits)
    typed = job_id.upper().replace("0", "O").replace("1", "I")
    assert naming.parse_id(f"  {typed} ") == job_id


@pytest.mark.parametrize("text", ["", "k7m29xq", "k7m29xq44", "k7m29xqu", "k7m2 9xq", "../etc/pa", "k7m29xqé"])
def test_what_is_no_id_is_not_taken_for_one(text: str) -> None:
    assert naming.parse_id(text) is None


@pytest.mark.parametrize("name", ["Jane", "Jane_k7m29xq", "Jane_k7m29xqu", "k7m29xq4", "Jane_k7m29xq4 (copy)"])
def test_a_folder_of_another_name_carries_no_id(name: str) -> None:
    assert naming.id_in_folder_name(name) is None
