"""Linux' unit: its text as systemd itself reads it, and the files that root leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from printsys.errors import PrintSysError
from printsys.ops import service_linux
from printsys.ops.service import ServedSystem
from printsys.ops.service_linux import UNIT, SystemdUnit, as_owner, unit_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux'")
ODD_NAMES = ["print lab", "a lab's program", 'José & "Ñandú"', "李明", "100% $HOME back\\slash"]


def make_system(root: Path) -> ServedSystem:
    """With all that the unit names."""
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "running.md").touch()
    (root / "manage.py").touch()
    (root / "python").symlink_to(sys.executable)
    storage = root / "the jobs"
    storage.mkdir()
    return ServedSystem(root, root / "instance", ("--port", "5000", "--storage", str(storage)))


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("account", [None, "root", "daemon"])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_systemd_takes_every_line_of_the_unit(tmp_path: Path, name: str, account: str | None) -> None:
    unit = tmp_path / UNIT
    unit.write_text(unit_text(make_system(tmp_path / name), tmp_path / name / "python", account), "utf-8")
    scope = "--system" if account else "--user"
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", scope, "--man=no", "--recursive-errors=one", "verify", str(unit)]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.needs("systemd-analyze")
def test_systemd_names_a_line_that_it_does_not_know(tmp_path: Path) -> None:
    """So that the test above proves something."""
    unit = tmp_path / UNIT
    text = unit_text(make_system(tmp_path / "lab"), Path(sys.executable))
    unit.write_text(text.replace("LockPersonality=", "LockPersonalty="), "utf-8")
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "--user", "--man=no", "--recursive-errors=one", "verify", str(unit)]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert "LockPersonalty" in done.stderr


def test_a_unit_of_the_computer_runs_as_another_account_and_writes_its_own_folders_only() -> None:
    system = ServedSystem(Path("/opt/lab"), Path("/var/lib/lab"), ("--storage", "/srv/the jobs"))
    text = unit_text(system, Path("/opt/lab/.venv/bin/python"), "lab")
    assert "\nUser=lab\n" in text and "\nProtectSystem=full\n" in text and "\nCapabilityBoundingSet=\n" in text
    assert '\nReadWritePaths="-/opt/lab" "-/var/lib/lab" "-/srv/the jobs"\n' in text
    assert text.endswith("WantedBy=multi-user.target\n")


def test_a_path_that_no_unit_can_name_is_refused() -> None:
    root = Path("/lab\nExecStart=/bin/true")
    with pytest.raises(PrintSysError, match="control characters"):
        unit_text(ServedSystem(root, root, ()), Path("/usr/bin/python3"))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_unit_knows_its_copy_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    unit, system = SystemdUnit(), make_system(tmp_path / name)
    assert unit.starts(system.root) is None
    unit.file.parent.mkdir(parents=True)
    unit.file.write_text(unit_text(system, Path(sys.executable)), "utf-8")
    assert (unit.starts(system.root), unit.starts(tmp_path)) == (True, False)


def test_lingering_is_proposed_until_the_account_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_linux, "LINGERING", tmp_path)
    account = psutil.Process().username()
    assert (SystemdUnit().advice or "").endswith(f"loginctl enable-linger {account}")
    (tmp_path / account).touch()
    assert (SystemdUnit().advice, SystemdUnit().occasion) == (None, "at each start of this computer")


@pytest.mark.needs("systemctl")
def test_a_shell_without_a_log_on_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PrintSysError, match=r"belongs to no log-on.*service install --system"):
        SystemdUnit().install(make_system(tmp_path / "lab"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else")
def test_what_root_makes_for_the_account_belongs_to_it() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are root's alone
        folder = Path(name)
        os.chown(folder, 65534, 65534)
        with as_owner(folder):
            (folder / "secret").touch()
        (folder / "root's").touch()
        assert [(folder / name).stat().st_uid for name in ("secret", "root's")] == [65534, 0]
