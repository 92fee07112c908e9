"""The opener on Windows as a person has it: in the real registry, called as Windows calls it, and uninstalled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from opener import registry as reg
from opener import tomltext
from opener.dialogs import TITLE
from opener.registration import own_command
from opener.url import SCHEMES
from tests.opener.commands import PROJECT, Home, new_home
from tests.opener.conftest import JOB, make_job, make_storage
from tests.waiting import until
from tests.windows.programs import close_window, is_wine

CLASSES = r"Software\Classes"
NAME = "Jane's 50% bracket & lid, 李 ñ.stl"


def values(path: str) -> dict[str, Any]:
    """Every value of a key in the account's part of the registry and of the keys beneath it, by its path."""
    winreg: Any = reg.real()
    data: dict[str, Any] = {}
    with winreg.OpenKey(winreg.HKEY_CURRENT_USER, path) as key:
        _keys, count, _changed = winreg.QueryInfoKey(key)
        for name, value, _kind in (winreg.EnumValue(key, index) for index in range(count)):
            data[f"{path}\\{name}".removesuffix("\\")] = value
    for name in reg.subkeys(winreg, winreg.HKEY_CURRENT_USER, path):
        data |= values(f"{path}\\{name}")
    return data


def registered() -> dict[str, Any]:
    """Each scheme is asked for by its name: other programs add keys beside it at the same time."""
    found: dict[str, Any] = {}
    for scheme in SCHEMES:
        with suppress(FileNotFoundError):
            found |= values(f"{CLASSES}\\{scheme}")
    return found


@pytest.fixture
def registry() -> Iterator[None]:
    """What the account had registered before, it has again afterwards."""
    winreg: Any = reg.real()
    before = registered()

    def clear() -> None:
        for scheme in SCHEMES:
            with suppress(FileNotFoundError):
                reg.delete_tree(winreg, winreg.HKEY_CURRENT_USER, f"{CLASSES}\\{scheme}")
        assert registered() == {}

    clear()
    yield
    clear()
    for path, value in before.items():
        is_named = path.endswith("URL Protocol")
        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, path.removesuffix(r"\URL Protocol")) as key:
            winreg.SetValueEx(key, "URL Protocol" if is_named else None, 0, winreg.REG_SZ, value)


@pytest.fixture
def home(tmp_path: Path, registry: None) -> Home:
    return new_home(tmp_path / "home")


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return make_storage(tmp_path / "print lab 李")


@pytest.fixture
def model(storage: Path, tmp_path: Path) -> Path:
    """A model that is a script, too, and says what it was opened with: so Python itself can be the slicer."""
    path = make_job(storage, "Pending") / NAME
    says = tmp_path / "opened"
    path.write_text(
        "import os, sys\n"
        f"with open({str(says)!r} + '.new', 'w', encoding='utf-8') as file:\n"
        "    print(*sys.argv, sep='\\n', file=file)\n"
        f"os.replace({str(says)!r} + '.new', {str(says)!r})\n",
        "utf-8",
    )
    return path


def install(home: Home, storage: Path) -> None:
    result = home.opener("install", "--storage", str(storage))
    assert (result.returncode, result.stderr) == (0, "")
    slicer = f'[[slicers]]\nname = "Python"\npath = {tomltext.quoted(sys.executable)}\n'
    with (home.config / "config.toml").open("a", encoding="utf-8") as file:
        file.write(slicer)


def link(name: str) -> str:
    return f"printsys://open?job={JOB}&file={quote(name)}"


def follow(home: Home, text: str) -> subprocess.Popen[bytes]:
    """What Windows' shell does with a link: it puts the link for %1 into the registered line, and runs that."""
    line = registered()[rf"{CLASSES}\printsys\shell\open\command"].replace("%1", text)
    return subprocess.Popen(line, env=home.environ, cwd=home.path)


def refusal(home: Home, text: str) -> str:
    """The line in the log after the link was refused and its window closed."""
    log = home.config / "opener.log"
    process = follow(home, text)
    until(log.exists, 60)
    if os.environ.get("DISPLAY") or not is_wine():
        until(lambda: close_window(TITLE), 60)
        assert process.wait(60) == 1
    else:  # wine without a screen: a window that nobody can see or find
        end(process)
    return log.read_text("utf-8").splitlines()[-1].partition("Z ")[2]


def end(process: subprocess.Popen[bytes]) -> None:
    """With its child: python.exe of a .venv is only a launcher."""
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    process.wait(60)


def test_install_registers_both_schemes_for_this_account_alone(home: Home, storage: Path) -> None:
    install(home, storage)
    command = f'{subprocess.list2cmdline(own_command())} "%1"'
    assert command.startswith(subprocess.list2cmdline([str(Path(sys.executable).with_name("pythonw.exe"))]))
    assert registered() == {
        path: value
        for scheme in SCHEMES
        for path, value in {
            rf"{CLASSES}\{scheme}": "URL:Print lab job",
            rf"{CLASSES}\{scheme}\URL Protocol": "",
            rf"{CLASSES}\{scheme}\shell\open\command": command,
        }.items()
    }
    winreg: Any = reg.real()
    for scheme in SCHEMES:
        assert reg.value(winreg, winreg.HKEY_LOCAL_MACHINE, rf"{CLASSES}\{scheme}") is None


def test_status_and_doctor_tell_what_the_registry_has(home: Home, storage: Path) -> None:
    status = json.loads(home.opener("status", "--json").stdout)
    assert [link["calls"] for link in status["links"].values()] == [None, None]
    install(home, storage)
    status = json.loads(home.opener("status", "--json").stdout)
    assert [link["this_opener"] for link in status["links"].values()] == [True, True]
    assert (status["storage"], status["storage_says"]) == (str(storage), "ready")
    doctor = home.opener("doctor").stdout
    assert "ok  storage: ready" in doctor and "ok  printsys:// links call this opener" in doctor


def test_uninstall_leaves_nothing_behind(home: Home, storage: Path) -> None:
    install(home, storage)
    result = home.opener("uninstall")
    assert (result.returncode, result.stderr) == (0, "")
    assert registered() == {} and home.everything() == []
    assert "nothing is left" in home.opener("uninstall").stdout


def test_uninstall_leaves_another_program_s_registration(home: Home, storage: Path) -> None:
    winreg: Any = reg.real()
    with winreg.CreateKey(winreg.HKEY_CURRENT_USER, rf"{CLASSES}\3dprint\shell\open\command") as key:
        winreg.SetValueEx(key, None, 0, winreg.REG_SZ, "other.exe")
    assert home.opener("uninstall").returncode == 0
    assert registered() == {rf"{CLASSES}\3dprint\shell\open\command": "other.exe"}


def test_a_link_opens_the_exact_file_as_one_argument(home: Home, storage: Path, model: Path, tmp_path: Path) -> None:
    install(home, storage)
    with follow(home, link(NAME)) as process:
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()
    until((tmp_path / "opened").exists)
    assert (tmp_path / "opened").read_text("utf-8").splitlines() == [str(model)]
    assert (home.config / "opener.log").read_text("utf-8").endswith(f"opened in Python job={JOB} kind=.stl\n")


@pytest.mark.skipif(sys.platform == "win32" and is_wine(), reason="wine's shell does not follow a scheme with a ?")
def test_windows_shell_hands_the_link_over(home: Home, storage: Path, model: Path, tmp_path: Path) -> None:
    install(home, storage)
    os.environ["APPDATA"], before = home.environ["APPDATA"], os.environ["APPDATA"]
    try:
        getattr(os, "startfile")(link(NAME))  # noqa: B009  only Windows has it
    finally:
        os.environ["APPDATA"] = before
    until((tmp_path / "opened").exists)
    assert (tmp_path / "opened").read_text("utf-8").splitlines() == [str(model)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (link("gone.stl"), f"refused NO_FILE job={JOB} kind=.stl"),
        (link("../gone.stl"), "refused PARENT"),
        (f'printsys://open?job={JOB}&file=a.stl" --storage=C:\\ "', "refused ARGUMENTS"),
        ("--help", "refused SCHEME"),
    ],
)
def test_a_refusal_is_seen_in_a_window_of_its_own(home: Home, storage: Path, text: str, reason: str) -> None:
    make_job(storage, "Pending")
    install(home, storage)
    assert refusal(home, text) == reason


def test_register_bat_asks_for_nothing_but_storage(home: Home, storage: Path) -> None:
    result = subprocess.run(
        ["cmd", "/c", str(PROJECT / "register.bat"), f"{storage}\\"],
        env={**home.environ, "PATH": f"{Path(sys.executable).parent};{home.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(home.opener("status", "--json").stdout)["storage"] == str(storage)
