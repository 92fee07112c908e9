"""`python -m opener …` as a process: what it prints, and its exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from opener import __main__ as opener_main
from opener import opening
from opener.messagebox import MessageBox
from opener.on_demand import DialogsOnDemand
from opener.opening import Desktop
from opener.url import SCHEMES
from tests.opener.commands import Home, linux_only, new_home
from tests.opener.conftest import JOB, STORAGE_ID, url

without_screen = pytest.mark.skipif(
    sys.platform == "win32", reason="a window, which Windows can always show, waits there: tests/windows/test_opener.py"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path / "home")


@linux_only
@pytest.mark.needs("xdg-mime")
def test_install_sets_up_and_status_says_so(home: Home, storage: Path) -> None:
    result = home.opener("install", "--storage", str(storage))
    assert (result.returncode, result.stderr) == (0, "")
    assert f'storage_id = "{STORAGE_ID}"' in (home.config / "config.toml").read_text("utf-8")
    status = json.loads(home.opener("status", "--json").stdout)
    assert {scheme: link["this_opener"] for scheme, link in status["links"].items()} == dict.fromkeys(SCHEMES, True)
    assert (status["storage"], status["storage_says"]) == (str(storage), "ready")
    text = home.opener("status").stdout
    assert "not this opener" not in text and f"{storage}  ready" in text


@linux_only
@pytest.mark.needs("xdg-mime")
def test_uninstall_leaves_nothing_behind(home: Home, storage: Path) -> None:
    assert home.opener("install", "--storage", str(storage)).returncode == 0
    home.opener("open", "--", url("gone.stl"))
    assert home.config / "opener.log" in home.config.iterdir()
    result = home.opener("uninstall")
    assert (result.returncode, home.everything()) == (0, [])
    assert "gone" in result.stdout
    assert "nothing is left" in home.opener("uninstall").stdout


@linux_only
@pytest.mark.needs("xdg-mime")
def test_uninstall_may_keep_the_settings(home: Home, storage: Path) -> None:
    home.opener("install", "--storage", str(storage))
    assert home.opener("uninstall", "--keep-settings").returncode == 0
    assert home.everything() == [".config/printsys-opener/config.toml"]
    assert home.opener("install").returncode == 0, "storage is known from before"


@linux_only
@pytest.mark.needs("xdg-mime")
def test_install_again_keeps_what_a_person_wrote(home: Home, storage: Path) -> None:
    home.config.mkdir(parents=True)
    (home.config / "config.toml").write_text('# ours\n[[slicers]]\nname = "Cura"\nignore = true\n', "utf-8")
    assert home.opener("install", "--storage", str(storage)).returncode == 0
    text = (home.config / "config.toml").read_text("utf-8")
    assert "# ours" in text and "ignore = true" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("install",), "does not know where the lab's storage is"),
        (("install", "--storage", "nowhere"), "is not mounted, or not the storage folder"),
    ],
)
def test_install_without_storage_changes_nothing(home: Home, arguments: tuple[str, ...], sentence: str) -> None:
    result = home.opener(*arguments)
    assert result.returncode == 1 and sentence in result.stderr and "Traceback" not in result.stderr
    assert home.everything() == []


@linux_only
@pytest.mark.needs("xdg-mime")
def test_a_computer_without_xdg_mime_is_told_what_to_install(home: Home, storage: Path) -> None:
    result = home.opener("install", "--storage", str(storage), PATH=str(home.path))
    assert result.returncode == 1 and "apt install xdg-utils" in result.stderr


@linux_only
@pytest.mark.needs("xdg-mime")
def test_doctor_names_what_is_wrong_and_ends_with_one(home: Home, storage: Path) -> None:
    result = home.opener("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(result.stdout)}
    assert result.returncode == 1
    assert not findings["storage: not set up"]["ok"]
    assert not findings["printsys:// links call nothing"]["ok"]
    home.opener("install", "--storage", str(storage))
    text = home.opener("doctor").stdout
    assert "ok  storage: ready" in text and "ok  printsys:// links call this opener" in text
    assert "NOT windows can be shown: there is no screen" in text or "no tkinter" in text


@pytest.mark.parametrize("code_page", ["cp1252", "ascii"])
def test_output_is_utf_8_whatever_the_code_page(home: Home, code_page: str) -> None:
    result = home.opener("doctor", PYTHONIOENCODING=code_page, PYTHONUTF8="0")
    assert (result.returncode, result.stderr) == (1, "")
    assert "NOT storage: not set up → python -m opener install --storage PATH" in result.stdout


def test_doctor_goes_on_with_settings_that_cannot_be_read(home: Home) -> None:
    home.config.mkdir(parents=True)
    (home.config / "config.toml").write_text("storage = ", "utf-8")
    result = home.opener("doctor")
    assert result.returncode == 1 and "settings cannot be used" in result.stdout and "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [(), ("dance",), ("open", "--evil"), ("install", "--storage")])
def test_a_wrong_call_ends_with_two(home: Home, arguments: tuple[str, ...]) -> None:
    assert home.opener(*arguments).returncode == 2


@without_screen
def test_a_refusal_is_printed_where_there_is_no_screen(home: Home) -> None:
    result = home.opener("open", "--", "https://example.edu/")
    assert result.returncode == 1
    assert result.stderr == "This link is not a 3dprint:// or printsys:// link, so it was not followed.\n"
    assert (home.config / "opener.log").read_text("utf-8").endswith("Z refused SCHEME\n")


@without_screen
def test_what_stands_behind_two_dashes_is_never_an_option(home: Home) -> None:
    result = home.opener("open", "--", "--help")
    assert result.returncode == 1 and "usage" not in result.stdout


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An opener with a mistake in it. Where its log is."""

    def follow_link(arguments: object, desktop: Desktop) -> bool:
        raise ZeroDivisionError("a mistake")

    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(opening, "follow_link", follow_link)
    return tmp_path / "printsys-opener" / "opener.log"


def test_a_mistake_of_the_opener_is_logged_and_shown(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    monkeypatch.setattr(DialogsOnDemand, "tell", lambda self, text: texts.append(text))
    assert opener_main.main(["open", "--", url(job=JOB)]) == 3
    text = broken.read_text("utf-8")
    assert "Traceback" in text and "ZeroDivisionError: a mistake" in text
    assert len(texts) == 1 and str(broken) in texts[0]


def test_a_mistake_is_shown_even_where_the_windows_are_what_is_broken(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_window(self: DialogsOnDemand, text: str) -> None:
        raise RuntimeError("main thread is not in main loop")

    texts: list[str] = []
    monkeypatch.setattr(DialogsOnDemand, "tell", no_window)
    monkeypatch.setattr(MessageBox, "tell", lambda self, text: texts.append(text))
    assert opener_main.main(["open", "--", url()]) == 3
    assert "ZeroDivisionError" in broken.read_text("utf-8") and "RuntimeError" in broken.read_text("utf-8")
    assert len(texts) == 1
