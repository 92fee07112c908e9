"""Windows: a task of Task Scheduler that belongs to this account, for which nobody needs to be an administrator.

An account that is no administrator may have a log-on trigger for itself, and for nobody else:
https://learn.microsoft.com/openspecs/windows_protocols/ms-tsch/d90eccec-83e9-450c-b144-17633c47be9a
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil

from printsys.errors import PrintSysError
from printsys.ops import windowless
from printsys.ops.service import ManagerProgram, ManagerRefused, ServedSystem

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
PATH_LIMIT = 260
"""Of a task's program and folder, in letters: the schema's pathType."""
CONSOLE_ENCODING = "oem" if sys.platform == "win32" else "utf-8"
"""Python's name for the code page of consoles, in which schtasks.exe writes."""


def task_xml(system: ServedSystem, user: str, python: Path) -> str:
    """The task's definition: https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema

    What it sets against the defaults: a task would be ended after three days, would not start on a laptop's battery,
    and would have less of the processor and the disk than other programs.
    """
    command = [*windowless.MODULE, str(system.instance), "run", *system.arguments]
    content = {
        "RegistrationInfo": {
            "Author": user,
            "Description": f"Starts the print lab's job system in {system.root}. "
            "`python manage.py service uninstall`, called there, removes this task.",
        },
        "Triggers": {"LogonTrigger": {"Enabled": "true", "UserId": user}},
        "Principals": {"Principal": {"UserId": user, "LogonType": "InteractiveToken", "RunLevel": "LeastPrivilege"}},
        "Settings": {
            "RestartOnFailure": {"Interval": "PT1M", "Count": "10"},
            "MultipleInstancesPolicy": "IgnoreNew",
            "DisallowStartIfOnBatteries": "false",
            "StopIfGoingOnBatteries": "false",
            "AllowHardTerminate": "true",
            "Enabled": "true",
            "ExecutionTimeLimit": "PT0S",
            "Priority": "5",
        },
        "Actions": {
            "Exec": {
                "Command": str(python.with_name("pythonw.exe")),
                "Arguments": subprocess.list2cmdline(command),
                "WorkingDirectory": str(system.root),
            }
        },
    }
    task = ElementTree.Element("Task", {"version": "1.2", "xmlns": NAMESPACE})
    _fill(task, content)
    ElementTree.indent(task)
    return '<?xml version="1.0" encoding="UTF-16"?>\n' + ElementTree.tostring(task, "unicode")


def _fill(parent: ElementTree.Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        element = ElementTree.SubElement(parent, name)
        if isinstance(value, str):
            element.text = value
        else:
            _fill(element, value)


class ScheduledTask:
    """Named for its account, since the names of tasks are one list for the whole computer."""

    occasion = "at each log-on of this account"
    advice = None

    def __init__(self) -> None:
        self.user = psutil.Process().username()
        self.name = f"Print lab job system ({self.user.rpartition(chr(92))[2]})"

    def log(self, instance: Path) -> str:
        return str(windowless.log_file(instance))

    def install(self, system: ServedSystem) -> None:
        python = Path(sys.executable)
        if len(str(python)) + 1 > PATH_LIMIT:  # for the w of pythonw.exe
            raise PrintSysError(f"Task Scheduler takes no path of more than {PATH_LIMIT} letters, as {python} is.")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "task.xml"
            file.write_text(task_xml(system, self.user, python), "utf-16")
            schtasks("/Create", "/TN", self.name, "/XML", str(file), "/F")

    def starts(self, root: Path) -> bool | None:
        try:
            definition = schtasks("/Query", "/TN", self.name, "/XML")
        except ManagerRefused:  # its words for "there is none" come in Windows' language
            return None
        folder = re.search(r"<WorkingDirectory>(.*?)</WorkingDirectory>", definition)
        return folder is not None and _as_printed(folder[1]) == _as_printed(_escaped(str(root)))

    def start(self) -> None:
        schtasks("/Run", "/TN", self.name)

    def stop(self) -> None:
        with contextlib.suppress(ManagerRefused):  # it does not run
            schtasks("/End", "/TN", self.name)

    def uninstall(self) -> None:
        schtasks("/Delete", "/TN", self.name, "/F")


def _text(output: bytes) -> str:
    """The XML says UTF-16 of itself, but comes in the console's code page."""
    if output.startswith((b"\xff\xfe", b"\xfe\xff")):
        return output.decode("utf-16", "replace")
    return output.decode(CONSOLE_ENCODING, "replace")


schtasks = ManagerProgram("schtasks", "Windows' schtasks.exe", "Task Scheduler", _text)
"""https://learn.microsoft.com/windows-server/administration/windows-commands/schtasks"""


def _escaped(text: str) -> str:
    element = ElementTree.Element("text")
    element.text = text
    return ElementTree.tostring(element, "unicode").removeprefix("<text>").removesuffix("</text>")


def _as_printed(path: str) -> str:
    """What is left of a path that went through a code page, which has a question mark for the letters that it lacks."""
    return re.sub(r"[^\x00-\x3e\x40-\x7f]+", "?", path).casefold()
