"""Carries a prepared upgrade out, step by step, and takes it back where one fails or somebody killed it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from printsys.upgrade.folder import Folder
from printsys.upgrade.git import Checkout
from printsys.upgrade.state import Plan, UpgradeFailed, Workplace, migrations, pins

UPGRADING = "PRINTSYS_UPGRADING"
"""In the environment of commands that belong to an upgrade. manage.py knows the name, too."""
DONE, FAILED, STUCK, GO_ON = 0, 1, 2, 3
"""GO_ON: an upgrade is just starting the system, whose commands may run."""
STARTING = "Starting the system"
AS_BEFORE = "Program, packages and database are as before."
LAST_LINES = 6


class Engine:
    def __init__(self, root: Path, lock: int) -> None:
        self.root = root
        self.place = Workplace(root)
        self.inherited = () if os.name == "nt" else (lock,)

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
                print(f"{title} …", flush=True)
                plan = self.place.at(plan, title)
                plan = step(plan) or plan
        except (UpgradeFailed, OSError) as failure:
            return self._take_back(plan, f"The upgrade to {plan.title} did not work: {failure}")
        except KeyboardInterrupt:
            return self._take_back(plan, f"The upgrade to {plan.title} was stopped.")
        self.place.at(plan, "done")
        self.place.clear()
        print(f"This is {plan.title} now.")
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
        address = json.loads(self._manage("service", "status", "--json"))["address"]
        if address is None:
            raise UpgradeFailed("It started, and does not answer.")
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=60):
                return
        except urllib.error.HTTPError as unwell:
            raise UpgradeFailed(
                f"It started, and /healthz says: {unwell.read().decode('utf-8', 'replace')}"
            ) from unwell

    # -- backward ---------------------------------------------------------------------------------------------------

    def recover(self, plan: Plan, starts: bool) -> int:
        """Of a killed upgrade. `starts`: the system again, where it ran."""
        if plan.stage == "done":
            self.place.clear()
            return DONE
        sentence = f"An upgrade to {plan.title} was interrupted ({plan.stage.lower()})."
        return self._take_back(plan if starts else replace(plan, was_running=False), sentence)

    def _take_back(self, plan: Plan, sentence: str) -> int:
        print(sentence, file=sys.stderr, flush=True)
        try:
            self.take_back(plan)
        except (UpgradeFailed, OSError) as failure:
            print(
                f"It could not be taken back: {failure}\nCall `python manage.py upgrade` again when that is put right.",
                file=sys.stderr,
            )
            return STUCK
        print(AS_BEFORE, file=sys.stderr, flush=True)
        return FAILED

    def take_back(self, plan: Plan) -> None:
        had_migrated = migrations(self.root) != plan.migrations
        if plan.was_running:
            with contextlib.suppress(UpgradeFailed):  # the new program may be unable to
                self._manage("service", "stop")
        self._code(plan).restore(plan, self.place)
        if self.place.old_venv.exists():
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self.root / ".venv")
            os.rename(self.place.old_venv, self.root / ".venv")
        if had_migrated:
            self._manage("db", "upgrade")
            self._manage("reindex")
        if plan.was_running:
            self.place.at(plan, STARTING)
            self._manage("service", "start")
        self.place.clear()

    # -- both -------------------------------------------------------------------------------------------------------

    def _code(self, plan: Plan) -> Checkout | Folder:
        return Checkout(self.root, self.inherited) if plan.is_git else Folder(self.root)

    def _findings(self) -> list[str]:
        document = json.loads(self._manage("check", "--json", accepted=(0, 1)))
        return [f"{finding['kind']}: {finding['sentence']}" for finding in document["findings"]]

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
