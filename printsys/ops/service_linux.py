"""Linux: a unit of systemd, by default of this account's own manager, for which nobody needs to be root."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from printsys.errors import PrintSysError
from printsys.ops.service import ManagerProgram, ManagerRefused, ServedSystem

UNIT = "print-lab.service"
LINGERING = Path("/var/lib/systemd/linger")
"""Has a file for each account whose manager runs from the computer's start on."""
SYSTEM_UNITS = Path("/etc/systemd/system")
systemctl = ManagerProgram("systemctl", "systemctl", "systemd")

HARDENING = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
"""
"""What every manager can do. Not PrivateTmp: the embedded PostgreSQL may have its socket in /tmp, by which commands
such as `check` reach it. Not MemoryDenyWriteExecute: PostgreSQL compiles large queries. No umask: staff open
the jobs' folders as other accounts. systemd.exec(5)."""
SYSTEM_HARDENING = """\
ProtectSystem=full
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateDevices=yes
"""
"""Only root's manager may shut a process off like this."""


def unit_text(system: ServedSystem, python: Path, account: str | None = None) -> str:
    """The unit's file: systemd.unit(5), systemd.service(5). `account`: as whom root's manager starts it; None makes it
    a unit of the account's own manager. By `env`, since systemd takes no program whose path has a quote or a
    backslash."""
    command = ["/usr/bin/env", str(python), str(system.root / "manage.py"), "run", *system.arguments]
    unit = f"""\
# Written by `python manage.py service install`, which writes it again; put your own lines into a drop-in file
# (`systemctl edit {UNIT}`).
[Unit]
Description=Print lab job system
Documentation={(system.root / "docs" / "running.md").as_uri().replace("%", "%%")}
"""
    if account:
        unit += "Wants=network-online.target\nAfter=network-online.target remote-fs.target\n"
    unit += f"""
[Service]
Type=exec
WorkingDirectory={_plain(system.root)}
Environment={_quoted(f"PRINTSYS_INSTANCE={system.instance}")}
ExecStart={" ".join(_quoted(word).replace("$", "$$") for word in command)}
Restart=on-failure
RestartSec=10
KillMode=mixed
TimeoutStopSec=60
{HARDENING}"""
    if account:
        unit += f"User={account}\n{SYSTEM_HARDENING}ReadWritePaths={_writable(system)}\n"
        if account != "root":  # root gives the embedded PostgreSQL to another account
            unit += "CapabilityBoundingSet=\n"
    return unit + f"\n[Install]\nWantedBy={'multi-user.target' if account else 'default.target'}\n"


def _writable(system: ServedSystem) -> str:
    """The minus: a share that is not mounted yet stops no start."""
    storages = [storage for name, storage in itertools.pairwise(system.arguments) if name == "--storage"]
    return " ".join(_quoted(f"-{folder}") for folder in (system.root, system.instance, *storages))


def _plain(path: Path) -> str:
    """Of a line that is one path: only specifiers have a meaning there."""
    if any(ord(letter) < 32 for letter in str(path)):
        raise PrintSysError(f"systemd takes no control characters in a path, as {str(path)!r} has.")
    return str(path).replace("%", "%%")


def _quoted(word: str) -> str:
    """https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html#Quoting"""
    escaped = _plain(Path(word)).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class SystemdUnit:
    """`is_system`: of root's manager, for the account that owns this folder."""

    def __init__(self, is_system: bool = False) -> None:
        self.is_system = is_system
        own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
        self.file = (SYSTEM_UNITS if is_system else own) / UNIT

    @property
    def occasion(self) -> str:
        if self.is_system or os.path.exists(LINGERING / psutil.Process().username()):
            return "at each start of this computer"
        return "at each log-on of this account"

    @property
    def advice(self) -> str | None:
        if self.is_system or os.path.exists(LINGERING / psutil.Process().username()):
            return None
        return (
            "It ends when this account logs off. To have it run from the computer's start on, also while nobody is "
            f"logged on: loginctl enable-linger {psutil.Process().username()}"
        )

    def log(self, instance: Path) -> str:
        return f"journalctl {'' if self.is_system else '--user '}-u {UNIT}"

    def install(self, system: ServedSystem) -> None:
        account = owner(system.root) if self.is_system else None
        with self._explained():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(unit_text(system, Path(sys.executable), account), "utf-8")
        self._ask("daemon-reload")
        self._ask("enable", UNIT)

    def starts(self, root: Path) -> bool | None:
        try:
            lines = self.file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None
        return f"WorkingDirectory={_plain(root)}" in lines

    def start(self) -> None:
        self._ask("start", "--no-block", UNIT)

    def stop(self) -> None:
        self._ask("stop", UNIT)

    def uninstall(self) -> None:
        self._ask("disable", UNIT)
        with self._explained():
            self.file.unlink(missing_ok=True)
        self._ask("daemon-reload")

    def _ask(self, *arguments: str) -> None:
        try:
            systemctl(*(() if self.is_system else ("--user",)), *arguments)
        except ManagerRefused as refusal:
            if self.is_system or os.environ.get("XDG_RUNTIME_DIR"):
                raise
            raise PrintSysError(
                f"{refusal} This shell belongs to no log-on of the account (after su or sudo it does not). Log on as "
                "that account, or make it a service of the computer: sudo python manage.py service install --system"
            ) from refusal

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise PrintSysError(f"{self.file} belongs to root: call this as root (sudo).") from error
        except OSError as error:
            raise PrintSysError(f"{self.file} cannot be written: {error.strerror}.") from error


def owner(folder: Path) -> str:
    """The account to which it belongs."""
    return folder.owner()


@contextlib.contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """While the body runs, root makes files as the account to which `folder` belongs."""
    if sys.platform == "win32" or os.geteuid() != 0:
        yield
        return
    belongs_to, group = folder.stat(), os.getegid()
    os.setegid(belongs_to.st_gid)
    os.seteuid(belongs_to.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
