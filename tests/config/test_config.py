"""Settings and lab.toml: what they mean, and that all mistakes are reported at once, each with its place."""

from __future__ import annotations

import os
import stat
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from printsys.config import ROOT, load_lab, load_settings, make_private_folder
from printsys.config.settings import read_or_make
from printsys.config.toml_lines import line_of
from printsys.credentials import staff_password
from printsys.errors import ConfigError

LAB = (ROOT / "lab.toml").read_text("utf-8")


@pytest.fixture
def lab_file(tmp_path: Path) -> Path:
    return tmp_path / "lab.toml"


def mistakes_in(lab_file: Path, text: str) -> list[str]:
    lab_file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_lab(lab_file)
    return caught.value.mistakes


def line_with(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)


# -- settings -------------------------------------------------------------------------------------------------------


def test_the_environment_wins_over_env_file_and_that_over_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SUBMIT_LIMIT=7\nDRAG_GRACE_S=5\n", "utf-8")
    settings = load_settings({"SUBMIT_LIMIT": "9"}, tmp_path)
    assert (settings.submit_limit, settings.drag_grace_s, settings.watch_mode) == (9, 5, "auto")


def test_an_env_file_from_windows_notepad_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfSUBMIT_LIMIT=7\r\nDRAG_GRACE_S=5\r\n")
    assert load_settings({}, tmp_path).submit_limit == 7


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    assert load_settings({"DATABASE_URL": "", "SUBMIT_LIMIT": ""}, tmp_path).database_url is None


def test_relative_folders_are_below_the_program(tmp_path: Path) -> None:
    assert load_settings({"PRINTSYS_STORAGE": "elsewhere"}, tmp_path).storage == tmp_path / "elsewhere"


def test_all_mistakes_are_reported_at_once_each_with_its_place(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# the lab's\nMAIL_SERVER=mail.example.edu\nMAIL_PORT=many\n", "utf-8")
    variables = {
        "SUBMIT_LIMIT": "lots", "WATCH_MODE": "sometimes", "BASE_URL": "printlab", "STAFF_PASSWORD_HASH": "hunter2",
    }  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        load_settings(variables, tmp_path)
    mistakes = {mistake.partition(" ")[0]: mistake for mistake in caught.value.mistakes}
    assert set(mistakes) == {*variables, "MAIL_PORT"}
    assert mistakes["MAIL_PORT"].startswith("MAIL_PORT (.env line 3): ")
    assert mistakes["WATCH_MODE"].startswith("WATCH_MODE (environment): ")


def test_a_mistake_in_a_variable_that_wins_over_env_file_is_the_environments(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WATCH_MODE=auto\n", "utf-8")
    with pytest.raises(ConfigError, match=r"WATCH_MODE \(environment\): "):
        load_settings({"WATCH_MODE": "sometimes"}, tmp_path)


def test_a_secret_key_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    first, second = load_settings({}, tmp_path), load_settings({}, tmp_path)
    path = tmp_path / "instance" / "secret-key"
    assert first.secret_key == second.secret_key == path.read_text("ascii").strip()
    assert len(first.secret_key) >= 43
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps a user's folders to that user by their access lists")
def test_the_instance_is_this_users_alone(tmp_path: Path) -> None:
    """FAULTS S9. Whoever may only pass through, as root's PostgreSQL must, still may."""
    load_settings({}, tmp_path)
    instance = tmp_path / "instance"
    assert stat.S_IMODE(instance.stat().st_mode) == 0o700
    for mode, closed in ((0o755, 0o711), (0o770, 0o710), (0o711, 0o711)):
        instance.chmod(mode)
        make_private_folder(instance)
        assert stat.S_IMODE(instance.stat().st_mode) == closed


def test_two_processes_that_start_at_once_have_one_secret(tmp_path: Path) -> None:
    path = tmp_path / "instance" / "secret-key"
    inner: list[str] = []

    def make_slowly() -> str:
        """Meanwhile another process reads, and makes, the same secret."""
        inner.append(read_or_make(path, lambda: "the other's"))
        return "mine"

    assert read_or_make(path, make_slowly) == "the other's"
    assert inner == ["the other's"] and [file.name for file in path.parent.iterdir()] == ["secret-key"]


def test_secrets_do_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    secrets = {
        "SECRET_KEY": "not-to-be-seen-1234", "DATABASE_URL": "postgresql://not-to-be-seen@db/x",
        "STAFF_PASSWORD": "not-to-be-seen", "MAIL_SERVER": "mail", "MAIL_PASSWORD": "not-to-be-seen",
    }  # fmt: skip
    assert "not-to-be-seen" not in repr(load_settings(secrets, tmp_path))


def test_an_instance_that_cannot_be_made_is_a_plain_mistake(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("a file is in the way", "utf-8")
    with pytest.raises(ConfigError, match="PRINTSYS_INSTANCE"):
        load_settings({}, tmp_path)


# -- the password ---------------------------------------------------------------------------------------------------


def test_the_first_start_makes_a_password_and_keeps_only_its_hash(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    password = staff_password.make_if_missing(settings)
    assert password is not None
    assert len(password.replace("-", "")) * 5 >= 60  # bits
    assert staff_password.is_right(password, staff_password.current_hash(settings))
    assert not staff_password.is_right(password + "x", staff_password.current_hash(settings))
    assert password not in staff_password.hash_path(settings).read_text("ascii")
    assert staff_password.make_if_missing(settings) is None
    if os.name == "posix":
        assert stat.S_IMODE(staff_password.hash_path(settings).stat().st_mode) == 0o600


def test_a_given_password_is_hashed_at_start_and_not_kept(tmp_path: Path) -> None:
    settings = load_settings({"STAFF_PASSWORD": "correct horse"}, tmp_path)
    assert staff_password.is_right("correct horse", staff_password.current_hash(settings))
    assert "correct horse" not in str(settings.model_dump())


def test_a_given_password_has_the_same_hash_at_each_start_until_it_is_another(tmp_path: Path) -> None:
    first, second = (load_settings({"STAFF_PASSWORD": "correct horse"}, tmp_path) for _ in range(2))
    assert first.staff_password_hash == second.staff_password_hash, "sessions go on"
    new_hash = load_settings({"STAFF_PASSWORD": "battery staple"}, tmp_path).staff_password_hash
    assert staff_password.is_right("battery staple", new_hash)
    assert not staff_password.is_right("correct horse", new_hash)
    (path,) = (tmp_path / "instance").glob("staff-password*")
    assert "battery" not in path.read_text("utf-8")
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_given_hash_wins_over_a_given_password(tmp_path: Path) -> None:
    hashed = load_settings({"STAFF_PASSWORD": "by its hash"}, tmp_path).staff_password_hash
    assert hashed is not None
    both = load_settings({"STAFF_PASSWORD": "by itself", "STAFF_PASSWORD_HASH": hashed}, tmp_path)
    assert staff_password.is_right("by its hash", staff_password.current_hash(both))


def test_a_password_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="STAFF_PASSWORD"):
        load_settings({"STAFF_PASSWORD": "short"}, tmp_path)


# -- lab.toml -------------------------------------------------------------------------------------------------------


def test_the_lab_has_its_facts() -> None:
    lab = load_lab(ROOT / "lab.toml")
    assert [len(method.colors) for method in lab.methods] == [23, 4]
    assert [printer.build_volume_mm for printer in lab.printers_for("Filament")] == [
        (250, 210, 220), (360, 360, 360), (305, 305, 605),
    ]  # fmt: skip
    assert [printer.id for printer in lab.printers_for("Resin")] == ["formlabs-form3"]
    prices = lab.price_list_on(date(2026, 3, 2))
    assert (prices.minimum, prices.rates["Filament"].amount, prices.rates["Resin"].amount) == (
        Decimal("3.00"), Decimal("0.10"), Decimal("0.20"),
    )  # fmt: skip
    assert (lab.submission.max_file_mb, lab.confirmation.valid_days, lab.retention.days) == (50, 7, 90)
    assert lab.about.timezone == "America/Chicago"
    assert len(lab.submission.disciplines) == 7


def test_the_introduction_is_shown_exactly_as_written(lab_file: Path) -> None:
    begin, end = LAB.index('introduction = """\n') + len('introduction = """\n'), LAB.index('"""\ndisciplines')
    own = "  Hello,\n\n\tplease: [read] this = that # carefully\n  "
    lab_file.write_text(LAB[:begin] + own + LAB[end:], "utf-8")
    assert load_lab(lab_file).submission.introduction == own


def test_a_lab_file_from_windows_notepad_is_read(lab_file: Path) -> None:
    lab_file.write_bytes(b"\xef\xbb\xbf" + LAB.replace("\n", "\r\n").encode())
    assert load_lab(lab_file).about.name


def test_all_mistakes_in_the_lab_file_are_reported_each_with_its_line(lab_file: Path) -> None:
    text = (
        LAB.replace('phone = ""', 'fone = ""')
        .replace("max_files = 5", "max_files = 0")
        .replace('density = "1.27"', 'density = "heavy"')
        .replace("build_volume = [360, 360, 360]", "build_volume = [360, 360]")
        .replace('method = "Resin"', 'method = "Rezin"')
        .replace('timezone = "America/Chicago"', 'timezone = "America/Chigago"')
        .replace('contact_email = "printlab@example.edu"', 'contact_email = "printlab at example.edu"')
    )
    mistakes = mistakes_in(lab_file, text)
    for words, expected in [
        ("fone =", "did you mean phone?"),
        ("max_files", "greater than or equal to 1"),
        ("heavy", "valid decimal"),
        ("[360, 360]", "build_volume"),
        ("Rezin", "there is no method Rezin"),
        ('name = "Resin"', "no printer prints Resin"),
        ("Chigago", "there is no time zone"),
        ("printlab at example.edu", "is no e-mail address like printlab@example.edu"),
    ]:
        start = f"lab.toml line {line_with(text, words)}: "
        assert any(mistake.startswith(start) and expected in mistake for mistake in mistakes), (words, mistakes)
    lines = [int(mistake.split()[2].rstrip(":")) for mistake in mistakes]
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('id = "prusa-xl"', 'id = "prusa-mk4s"', "prusa-mk4s is there twice in printers"),
        ('Resin = { amount = "0.20"', 'Rezin = { amount = "0.20"', "have none for Resin"),
        ("minimum =", "minumum =", "did you mean minimum?"),
        ('monday = "9:00-17:00"', 'monday = "17:00-9:00"', "'17:00-9:00' ends before it begins"),
        ('friday = "9:00-17:00"', 'friday = "nine to five"', "'nine to five' is no time like"),
        ("[retention]", "[retentoin]", "did you mean retention?"),
    ],
)
def test_contradictions_and_slips_are_told(lab_file: Path, old: str, new: str, sentence: str) -> None:
    text = LAB.replace(old, new)
    assert any(sentence in mistake for mistake in mistakes_in(lab_file, text))


RULES = """
[[prices.rules]]
name = "Studio class"
percent = 20
class_numbers = ["ARCH*"]
"""


def with_rules(rules: str) -> str:
    return LAB.replace("\n# label: the checkbox", f"{rules}\n# label: the checkbox")


def test_price_rules_are_part_of_a_price_list(lab_file: Path) -> None:
    lab_file.write_text(with_rules(RULES), "utf-8")
    [prices] = load_lab(lab_file).prices
    assert [(rule.name, rule.percent) for rule in prices.rules] == [("Studio class", Decimal(20))]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("percent = 20", "percent = 120", "less than or equal to 100"),
        ("percent = 20", "", "percent"),
        ("percent = 20", 'percent = 20\nmethods = ["Laser"]', "the price rule Studio class: no method Laser"),
        (
            "percent = 20",
            'percent = 20\ndisciplines = ["Alchemy"]',
            "the price rule Studio class: no discipline Alchemy",
        ),
        ("class_numbers", "class_number", "did you mean class_numbers?"),
    ],
)
def test_a_slip_in_a_price_rule_is_told(lab_file: Path, old: str, new: str, sentence: str) -> None:
    [mistake] = mistakes_in(lab_file, with_rules(RULES.replace(old, new)))
    assert sentence in mistake


def test_what_is_not_toml_is_told_with_its_line(lab_file: Path) -> None:
    text = LAB.replace("max_copies = 20", "max_copies 20")
    [mistake] = mistakes_in(lab_file, text)
    assert mistake.startswith(f"lab.toml line {line_with(text, 'max_copies 20')}: this is not TOML")


@pytest.mark.parametrize(
    "content",
    [
        "methods = 3",
        'methods = [{ name = ["x"] }]\nprices = [{ rates = { x = 1 } }]',
        "prices = [1, 2]",
        "prices = [{ rates = 5 }]\nmethods = [{}]",
        "",
    ],
)
def test_any_toml_is_answered_with_mistakes(lab_file: Path, content: str) -> None:
    assert mistakes_in(lab_file, content)


def test_a_lab_file_that_is_missing_or_no_text_is_a_plain_mistake(lab_file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_lab(lab_file)
    lab_file.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_lab(lab_file)


TRICKY = '''# a comment with [brackets] and "quotes
top = 1
[a]
text = """
[not.a.table]
key = "neither"
"""
"quoted key" = 2
list = [
    "one",  # a comment, with a comma
    # and a line of its own: "x
    "two, three",
    { inner = 3 },
    [
        "a, [b", 4,
    ], 5,
]
[a.b]
c.d = 4
[[rows]]
x = 1
[[rows]]
x = [1, 2]
[rows.rates.Filament]
amount = 5
'''


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("top",), 2), (("a", "text"), 4), (("a", "quoted key"), 8), (("a", "list", 0), 10), (("a", "list", 1), 12),
        (("a", "list", 2, "inner"), 13), (("a", "list", 3, 1), 14), (("a", "list", 4), 16),
        (("a", "b"), 18), (("a", "b", "c", "d"), 19), (("rows", 0, "x"), 21),
        (("rows", 1), 22), (("rows", 1, "x", 1), 23), (("rows", 1, "rates", "Filament", "amount"), 25),
        (("rows", 1, "missing"), 22), (("nowhere",), 1),
    ],
)  # fmt: skip
def test_a_value_is_found_on_its_line(where: tuple[str | int, ...], line: int) -> None:
    assert line_of(TRICKY, where) == line


# -- terms ----------------------------------------------------------------------------------------------------------


def test_terms_that_overlap_or_end_before_they_begin_are_mistakes(lab_file: Path) -> None:
    terms = (
        '\n[[terms]]\nname = "Fall"\nfirst = 2025-09-02\nlast = 2025-12-19\n'
        '\n[[terms]]\nname = "Winter"\nfirst = 2025-12-19\nlast = 2026-01-09\n'
        '\n[[terms]]\nname = "Spring"\nfirst = 2026-05-08\nlast = 2026-01-12\n'
        '\n[[terms]]\nname = "Fall"\nfirst = 2026-09-02\nlast = 2026-12-19\n'
    )
    mistakes = mistakes_in(lab_file, LAB + terms)
    assert [mistake.partition(": ")[2] for mistake in mistakes] == [
        "the terms Fall and Winter overlap",
        "the term Spring ends before it begins",
        "Fall is there twice in terms",
    ]


@pytest.mark.parametrize("days", [("9999-01-01", "9999-12-31"), ("0001-01-01", "2026-05-08")])
def test_a_term_of_no_report_is_a_mistake(lab_file: Path, days: tuple[str, str]) -> None:
    mistakes = mistakes_in(lab_file, LAB + f'\n[[terms]]\nname = "Ever"\nfirst = {days[0]}\nlast = {days[1]}\n')
    assert "does not lie between 1990 and 2199" in mistakes[0]
