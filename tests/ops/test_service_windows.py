"""Windows' task for the log-on: its definition against the documented schema, and the calls of schtasks.exe."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from printsys.errors import PrintSysError
from printsys.ops import service_windows
from printsys.ops.service import ServedSystem
from printsys.ops.service_windows import NAMESPACE, ScheduledTask, schtasks, task_xml
from tests.ops import fake_schtasks
from tests.present import present

ROOT = PureWindowsPath(r"C:\Users\José & 李\print lab")
PYTHON = ROOT / ".venv" / "Scripts" / "python.exe"
BOOLEAN, DURATION, TEXT, PATH = r"true|false", r"PT0S|PT\d+M", r".+", r".{1,260}"

SCHEMA: dict[str, Any] = {
    "RegistrationInfo": {"Source": TEXT, "Date": TEXT, "Author": TEXT, "Version": TEXT, "Description": TEXT},
    "Triggers": {
        "LogonTrigger": {"Enabled": BOOLEAN, "ExecutionTimeLimit": DURATION, "UserId": TEXT, "Delay": DURATION}
    },
    "Principals": {
        "Principal": {
            "UserId": TEXT,
            "LogonType": r"S4U|Password|InteractiveToken|InteractiveTokenOrPassword",
            "RunLevel": r"LeastPrivilege|HighestAvailable",
        }
    },
    "Settings": {
        "RestartOnFailure": {"Interval": r"PT\d+M", "Count": r"[1-9]\d{0,2}"},
        "MultipleInstancesPolicy": r"Parallel|Queue|IgnoreNew|StopExisting",
        "DisallowStartIfOnBatteries": BOOLEAN,
        "StopIfGoingOnBatteries": BOOLEAN,
        "AllowHardTerminate": BOOLEAN,
        "Enabled": BOOLEAN,
        "Hidden": BOOLEAN,
        "ExecutionTimeLimit": DURATION,
        "Priority": r"\d|10",
    },
    "Actions": {"Exec": {"Command": PATH, "Arguments": TEXT, "WorkingDirectory": PATH}},
}
"""What the documented schema allows, as far as a task of ours may have it. The order counts in LogonTrigger alone:
https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema"""


def example(*arguments: str) -> ElementTree.Element:
    system = ServedSystem(cast(Path, ROOT), cast(Path, ROOT / "instance"), arguments)
    text = task_xml(system, r"LAB\Jane", cast(Path, PYTHON))
    return ElementTree.fromstring(text.encode("utf-16"))


def mistakes(element: ElementTree.Element, schema: Any, path: str = "") -> list[str]:
    """Where `element` breaks the schema."""
    if isinstance(schema, str):
        return [] if re.fullmatch(schema, element.text or "") else [f"{path}: {element.text}"]
    names = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]
    allowed = [name for name in schema if name in names]
    wrong = [] if names == allowed else [f"{path}: {names} is not {allowed}"]
    return wrong + [
        mistake
        for name, child in zip(names, element, strict=True)
        for mistake in mistakes(child, schema.get(name, r"\n"), f"{path}/{name}")
    ]


def test_the_definition_keeps_to_the_documented_schema() -> None:
    task = example("--port", "5000")
    assert task.tag == f"{{{NAMESPACE}}}Task" and task.attrib == {"version": "1.2"}
    assert mistakes(task, SCHEMA) == []


def test_it_needs_no_administrator_and_no_password() -> None:
    task = example()
    assert fake_schtasks.words(task, "Triggers/LogonTrigger/UserId") == r"LAB\Jane"
    assert fake_schtasks.words(task, "Principals/Principal/UserId") == r"LAB\Jane"
    assert fake_schtasks.words(task, "Principals/Principal/LogonType") == "InteractiveToken"
    assert fake_schtasks.words(task, "Principals/Principal/RunLevel") == "LeastPrivilege"


def test_nothing_ends_it_after_three_days_or_on_a_battery_and_it_is_not_held_back() -> None:
    task = example()
    settings = {name: fake_schtasks.words(task, f"Settings/{name}") for name in SCHEMA["Settings"]}
    assert settings["ExecutionTimeLimit"] == "PT0S"
    assert (settings["DisallowStartIfOnBatteries"], settings["StopIfGoingOnBatteries"]) == ("false", "false")
    assert settings["Priority"] in ("4", "5", "6"), "a normal priority; 7 is the default, and below that"


def test_it_calls_the_python_without_a_window_in_its_own_folder() -> None:
    task = example("--storage", r"P:\print lab", "--port", "5000")
    assert fake_schtasks.words(task, "Actions/Exec/Command") == str(PYTHON.with_name("pythonw.exe"))
    assert fake_schtasks.words(task, "Actions/Exec/WorkingDirectory") == str(ROOT)
    assert fake_schtasks.words(task, "Actions/Exec/Arguments") == (
        rf'-m printsys.ops.windowless "{ROOT}\instance" run --storage "P:\print lab" --port 5000'
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in's, which is on PATH."""
    for name, value in fake_schtasks.install(tmp_path / "bin").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(service_windows, "CONSOLE_ENCODING", fake_schtasks.CODE_PAGE)
    return tmp_path / "bin"


@pytest.mark.parametrize("name", ["print lab", "José & <Ñandú>", "李明", "a?b 𝒳"])
def test_the_task_knows_its_copy_of_the_system_whatever_letters_its_folder_has(folder: Path, name: str) -> None:
    task, root = ScheduledTask(), Path("/lab") / name
    assert task.starts(root) is None
    task.install(ServedSystem(root, root / "instance", ()))
    assert (task.starts(root), task.starts(root / "copy")) == (True, False)
    (definition,) = fake_schtasks.tasks(folder).values()
    assert fake_schtasks.words(definition, "Actions/Exec/WorkingDirectory") == str(root)
    task.uninstall()
    assert task.starts(root) is None and fake_schtasks.tasks(folder) == {}


def test_installing_again_replaces_the_task(folder: Path) -> None:
    task, root = ScheduledTask(), Path("/lab")
    task.install(ServedSystem(root, root, ("--port", "5000")))
    task.install(ServedSystem(root, root, ("--port", "5001")))
    (definition,) = fake_schtasks.tasks(folder).values()
    assert fake_schtasks.words(definition, "Actions/Exec/Arguments").endswith("--port 5001")


def test_each_account_has_a_task_of_its_own(folder: Path) -> None:
    task = ScheduledTask()
    task.install(ServedSystem(Path("/lab"), Path("/lab"), ()))
    (name,) = fake_schtasks.tasks(folder)
    account = present(re.search(r"\((.+)\)$", name)).group(1)
    assert task.user.endswith(account) and not set(r'\/:*?"<>|') & set(name)


def test_ending_what_does_not_run_is_no_mistake(folder: Path) -> None:
    ScheduledTask().stop()


def test_a_refusal_comes_with_windows_own_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SCHTASKS_SAYS", "Refused")
    with pytest.raises(PrintSysError, match=r"Task Scheduler refused: ERROR: Access is denied\."):
        ScheduledTask().install(ServedSystem(Path("/lab"), Path("/lab"), ()))


def test_a_windows_without_schtasks_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrintSysError, match=r"schtasks\.exe"):
        schtasks("/Query")
