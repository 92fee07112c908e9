"""A real systemd, as an account's own manager, in a mount namespace where the computer looks as if systemd had started
it. Nobody else's units are in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import until

SYSTEMD = "/lib/systemd/systemd"
BOOT = f"mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system && exec {SYSTEMD} --user --log-target=console"
NAMESPACE = ("unshare", "--mount", "--propagation", "private")


def whats_missing() -> str | None:
    """Why there cannot be such a manager here."""
    if not os.path.exists(SYSTEMD):
        return "systemd is not here"
    Path("/run/systemd").mkdir(exist_ok=True)
    probe = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/run/systemd"]
    done = subprocess.run(probe, capture_output=True, encoding="utf-8", check=False)
    return f"this container has no mount namespaces: {done.stderr.strip()}" if done.returncode else None


class UserManager:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "runtime").mkdir(mode=0o700)
        own = {"XDG_RUNTIME_DIR": str(folder / "runtime"), "XDG_CONFIG_HOME": str(folder / "config")}
        self.environment = {name: value for name, value in os.environ.items() if name != "DBUS_SESSION_BUS_ADDRESS"}
        self.environment |= own
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "systemd.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*NAMESPACE, "sh", "-c", BOOT], env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        until(lambda: (self.folder / "runtime" / "systemd" / "private").exists())

    def call(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As the account calls it."""
        assert self.process is not None
        return subprocess.run(
            ["nsenter", "--target", str(self.process.pid), "--mount", *command],
            env=self.environment | environment,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def value(self, unit: str, name: str) -> str:
        return self.call("systemctl", "--user", "show", unit, "--property", name, "--value").stdout.strip()

    def end(self) -> None:
        if self.process is not None:
            self.call("systemctl", "--user", "exit")
            self.process.wait(60)


@contextlib.contextmanager
def user_manager() -> Iterator[UserManager]:
    """In a folder with a short path: the manager's sockets are in it."""
    with tempfile.TemporaryDirectory(prefix="printsys-sd-") as folder:
        manager = UserManager(Path(folder))
        manager.start()
        try:
            yield manager
        finally:
            manager.end()
