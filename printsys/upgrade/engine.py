"""Carries a prepared upgrade out, step by step, and takes it back where one fails or somebody killed it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from printsys.upgrade.folder import Folder
from printsys.upgrade.git import Checkout
from printsys.upgrade.state import Plan, UpgradeFailed, Workplace, migrations, pins

UPGRADING = "PRINTSYS_UPGRADING"
"""In the environment of commands that belong to an upgrade. manage.py knows the name, too."""
DONE, FAILED, STUCK, GO_ON = 0, 1, 2, 3
"""GO_ON: an upgrade is just starting the system, whose commands may run."""
STARTING = "Starting the system"
"""From here on the program is whole, the new one or, `is_back`, the old one."""
TAKING_BACK = "Taking it back"
STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
AS_BEFORE = "Program, packages and database are as before."
LAST_LINES = 6


class Engine:
    def __init__(self, root: Path, lock: int) -> None:
        self.root = root
        self.place = Workplace(root)
        self.inherited = () if os.name == "nt" else (lock,)
        self.is_stopped = False

    def heed_signals(self) -> None:
        """Between two steps: one that this process killed could leave pip at work in `.venv`. To take back, once begun,
        goes on to its end."""

        def note(_signal: int, _frame: object) -> None:
            self.is_stopped = True

        for name in STOP_SIGNALS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), note)

    # -- forward ----------------------------------------------------------------------------------------------------

    def carry_out(self, plan: Plan) -> int:
        steps: list[tuple[str, Callable[[Plan], Plan | None]]] = [
            ("Stopping the system", self._stop),
            ("Checking storage as it is", self._check_before),
            ("Exchanging the program", self._switch),
            ("Installing its packages", self._install),
            ("Migrating the database", self._migrate),
            ("Checking storage and mirror", self._check_after),
            (STARTING, self._start),
        ]
        try:
            for title, step in steps:
                if self.is_stopped:
                    raise UpgradeFailed
                _say(f"{title} …")
                plan = self.place.at(plan, title)
                plan = step(plan) or plan
        except (UpgradeFailed, OSError) as failure:
            outcome = "was stopped." if self.is_stopped else f"did not work: {failure}"
            return self._take_back(plan, f"The upgrade to {plan.title} {outcome}")
        self.place.clear()
        _say(f"This is {plan.title} now.")
        return DONE

    def _stop(self, plan: Plan) -> None:
        if plan.was_running:
            self._manage("service", "stop")

    def _check_before(self, plan: Plan) -> Plan:
        return replace(plan, findings=self._findings())

    def _switch(self, plan: Plan) -> None:
        self._code(plan).switch(plan, self.place)

    def _install(self, plan: Plan) -> None:
        if pins(self.root) != plan.pins:
            os.rename(self.root / ".venv", self.place.old_venv)
        self._manage("check", "--help")  # manage.py makes the environment that is not there

    def _migrate(self, plan: Plan) -> None:
        self._manage("db", "upgrade")
        if migrations(self.root) != plan.migrations:
            self._manage("reindex")

    def _check_after(self, plan: Plan) -> None:
        known = set(plan.findings or ())
        additional = [finding for finding in self._findings() if finding not in known]
        if additional and not plan.accepts_findings:
            listing = "\n".join(f"  {finding}" for finding in additional[:LAST_LINES])
            raise UpgradeFailed(
                f"`check` finds {len(additional)} more than before:\n{listing}\n"
                "`upgrade --with-findings` goes on all the same."
            )

    def _start(self, plan: Plan) -> None:
        if not plan.was_running:
            return
        self._manage("service", "start")
        with _understood("service status --json"):
            address = json.loads(self._manage("service", "status", "--json"))["address"]
        if address is None:
            raise UpgradeFailed("It started, and does not answer.")
        with _understood("/healthz"):
            self._require_well(f"{address}/healthz")

    def _require_well(self, health_page: str) -> None:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know this computer
        try:
            direct.open(health_page, timeout=60).close()
        except urllib.error.HTTPError as unwell:
            text = unwell.read().decode("utf-8", "replace")
            raise UpgradeFailed(f"It started, and /healthz says: {text}") from unwell

    # -- backward ---------------------------------------------------------------------------------------------------

    def recover(self, plan: Plan, starts: bool) -> int:
        """Of a killed upgrade. `starts`: the system again, where it ran."""
        sentence = f"An upgrade to {plan.title} was interrupted ({plan.stage.lower()})."
        if plan.stage == STARTING:
            return self._finish(plan, sentence, starts)
        return self._take_back(plan, sentence, starts)

    def _finish(self, plan: Plan, sentence: str, starts: bool) -> int:
        """The program is whole, and may run already."""
        _say(f"{sentence}\n{AS_BEFORE if plan.is_back else f'This is {plan.title} now.'}", sys.stderr)
        try:
            self._start_again(plan, starts)
        except (UpgradeFailed, OSError) as failure:
            _say(f"It does not start: {failure}", sys.stderr)
            return STUCK
        finally:
            self.place.clear()
        return FAILED if plan.is_back else DONE

    def _take_back(self, plan: Plan, sentence: str, starts: bool = True) -> int:
        _say(sentence, sys.stderr)
        try:
            self.take_back(plan, starts)
        except (UpgradeFailed, OSError) as failure:
            _say(
                f"It could not be taken back: {failure}\nCall `python manage.py upgrade` again when that is put right.",
                sys.stderr,
            )
            return STUCK
        _say(AS_BEFORE, sys.stderr)
        return FAILED

    def take_back(self, plan: Plan, starts: bool) -> None:
        if plan.was_running and starts:
            with contextlib.suppress(UpgradeFailed):  # the new program may be unable to
                self._manage("service", "stop")
        has_migrated = plan.has_migrated or migrations(self.root) != plan.migrations
        plan = self.place.at(replace(plan, has_migrated=has_migrated), TAKING_BACK)
        self._code(plan).restore(plan, self.place)
        if self.place.old_venv.exists():
            shutil.rmtree(self.place.useless_venv, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                os.rename(self.root / ".venv", self.place.useless_venv)
            os.rename(self.place.old_venv, self.root / ".venv")
        if plan.has_migrated:
            self._manage("db", "upgrade")
            self._manage("reindex")
        plan = self.place.at(replace(plan, is_back=True), STARTING)
        self._start_again(plan, starts)
        self.place.clear()

    def _start_again(self, plan: Plan, starts: bool) -> None:
        """What ran before."""
        if plan.was_running and starts:
            self._manage("service", "start")
        elif plan.was_running:
            _say("The system ran before. Where it does not now: `python manage.py service start`", sys.stderr)

    # -- both -------------------------------------------------------------------------------------------------------

    def _code(self, plan: Plan) -> Checkout | Folder:
        return Checkout(self.root, self.inherited) if plan.is_git else Folder(self.root)

    def _findings(self) -> list[str]:
        text = self._manage("check", "--json", accepted=(0, 1))
        with _understood("check --json"):
            return [f"{finding['kind']}: {finding['sentence']}" for finding in json.loads(text)["findings"]]

    def _manage(self, *arguments: str, accepted: tuple[int, ...] = (0,)) -> str:
        """What the program that is here now prints. UpgradeFailed with its last words."""
        done = subprocess.run(
            [sys.executable, str(self.root / "manage.py"), *arguments],
            cwd=self.root,
            env={**os.environ, UPGRADING: "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            pass_fds=self.inherited,
        )
        with self.place.log.open("a", encoding="utf-8") as log:
            log.write(f"$ manage.py {' '.join(arguments)}\n{done.stdout}{done.stderr}exit code {done.returncode}\n")
        if done.returncode not in accepted:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:]
            raise UpgradeFailed(f"`manage.py {' '.join(arguments)}` says: " + "\n".join(lines))
        return done.stdout


@contextlib.contextmanager
def _understood(asked: str) -> Iterator[None]:
    """UpgradeFailed where the answer is not what it has to be."""
    try:
        yield
    except (ValueError, LookupError, TypeError, http.client.HTTPException) as error:
        raise UpgradeFailed(f"The answer of {asked} cannot be understood: {error!r}") from error


def _say(text: str, stream: TextIO | None = None) -> None:
    with contextlib.suppress(OSError):  # a terminal that was closed
        print(text, file=stream, flush=True)
