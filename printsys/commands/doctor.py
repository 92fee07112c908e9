"""Check this computer and report problems with their fixes. Nothing is changed; a probe file in storage comes and goes.

Exit code 0: all is well, 1: findings, 2: could not run."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from indexer.migrate import current
from indexer.watch_mode import is_on_network, mode_for, sync_program
from opener.refusals import Refused
from opener.registration import registration
from printsys import fs
from printsys.commands.common import add_storage_argument, read_settings
from printsys.config import ROOT, Lab, Settings, load_lab
from printsys.credentials import api_tokens, staff_password
from printsys.domain.naming import FOLDER_NAME_LIMIT
from printsys.domain.status import Status
from printsys.domain.words import counted
from printsys.errors import PrintSysError
from printsys.jobstore.layout import Layout
from printsys.mail.smtp import Sent, check_connection
from printsys.ops import disk_space, heartbeat
from printsys.ops.backup_record import backup_folder, read_record
from printsys.ops.backup_trouble import backup_trouble
from printsys.ops.file_access import others_may_read
from printsys.ops.postgres import PostgresServer
from printsys.services import remembered_at
from printsys.texts import relative
from printsys.web.logo import LogoUnreadable, read_logo
from printsys.worker.queue import QUEUE_DOWN, make_huey, queue_length

FINE, FINDINGS = 0, 1
WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
MAX_PATH = 259
"""Letters in a path that every program on Windows opens: MAX_PATH without the zero at its end."""
ROOM_FOR_NAMES = 100
"""Slicers put the job's name, the material, the printer and the time into the names of their files."""
FEWEST_WATCHES = 65_536
"""A live job takes three: its folder, original/ and previews/."""

MOST_AHEAD_S = 2.0
"""FAT counts in steps of that."""


class Result(NamedTuple):
    """What a check found. `advice` is empty where all is well."""

    sentence: str
    advice: str = ""

    @property
    def is_fine(self) -> bool:
        return not self.advice

    def as_json(self) -> dict[str, object]:
        return {"is_fine": self.is_fine, "said": self.sentence, "advice": self.advice}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    results = {}
    for name, result in examine(settings, load_lab(settings.lab_config)):
        results[name] = result
        if not args.json:
            print(f"{'ok   ' if result.is_fine else 'WRONG'} {name}: {result.sentence}", flush=True)
        if result.advice and not args.json:
            print(f"      {result.advice}", flush=True)
    if args.json:
        print(json.dumps([{"name": name, **result.as_json()} for name, result in results.items()], indent=2))
    return FINE if all(result.is_fine for result in results.values()) else FINDINGS


def examine(settings: Settings, lab: Lab) -> Iterator[tuple[str, Result]]:
    """Each result as soon as it is known: mail and database may take a few seconds. Raises nothing."""
    checks: dict[str, Callable[[], Result]] = {
        "python": check_python,
        "storage": lambda: check_storage(settings),
        "clock": lambda: check_clock(settings),
        "disk": lambda: check_disk(settings, lab),
        "backup": lambda: check_backup(settings, lab),
        "watching": lambda: check_watching(settings),
        "paths": lambda: check_paths(settings),
        "secrets": lambda: check_secrets(settings),
        "password": lambda: check_password(settings),
        "database": lambda: check_database(settings),
        "worker": lambda: check_worker(settings),
        "indexer": lambda: check_indexer(settings),
        "queue": lambda: check_queue(settings),
        "mail": lambda: check_mail(settings),
        "opener": check_opener,
    }
    if (logo := lab.about.logo_file(settings.lab_config)) is not None:
        checks["logo"] = lambda: check_logo(logo)
    for name, check in checks.items():
        yield name, check()


def check_logo(path: Path) -> Result:
    try:
        logo = read_logo(path)
    except LogoUnreadable as problem:
        return Result(f"The pages have no logo: {problem}", "Put the picture there, or empty [lab] logo of lab.toml.")
    return Result(f"{path.name} is the logo of the pages, {logo.width} × {logo.height} pixels there.")


def check_python() -> Result:
    return Result(f"Python {sys.version.split()[0]}; settings and lab.toml can be read.")


def check_storage(settings: Settings) -> Result:
    layout = Layout(settings.storage)
    if not settings.storage.is_dir():
        return Result(
            f"{settings.storage} is not there.",
            "Mount it, or set PRINTSYS_STORAGE. For a new lab `python manage.py run` makes it.",
        )
    if not layout.storage_id.exists():
        return Result(
            f"{settings.storage} is no storage of ours yet.",
            "Is this the right folder, and is the share mounted? `python manage.py run` sets an empty one up.",
        )
    if not os.access(settings.storage, os.W_OK) or not os.access(layout.staging.parent, os.W_OK):
        return Result(
            f"{settings.storage} cannot be written by this user.",
            "Give the user that runs the system the right to write there.",
        )
    remembered = (fs.read_if_there(remembered_at(settings)) or b"").strip()
    if remembered and remembered != fs.read(layout.storage_id).strip():
        return Result(
            f"{settings.storage} is a storage, but not the one that this computer knows.",
            f"Mount the lab's own there. If it is meant to be this one: delete {remembered_at(settings)}.",
        )
    disk = layout.staging.stat().st_dev
    folders = [layout.status(status) for status in Status]
    elsewhere = [folder.name for folder in folders if folder.exists() and folder.stat().st_dev != disk]
    if elsewhere:
        return Result(
            f"{', '.join(elsewhere)} and {layout.system.name} lie on different disks.",
            "A folder moves in one step only within one disk: put them all on the same.",
        )
    return Result(f"{settings.storage} is there and can be written.")


def check_clock(settings: Settings, now: Callable[[], float] = time.time) -> Result:
    """Whether the computer that holds storage has the time of this one: a share gives files the time of its server."""
    probe = Layout(settings.storage).system / f"clock-probe-{os.getpid()}"
    try:
        fs.write_new(probe, b"")
        ahead_s = probe.stat().st_mtime - now()
        fs.unlink(probe)
    except OSError as error:
        return Result(f"The clock of {settings.storage} is not known: {error.strerror}.")
    if abs(ahead_s) <= MOST_AHEAD_S:
        return Result("Storage and this computer have the same time.")
    direction = "ahead of" if ahead_s > 0 else "behind"
    return Result(
        f"The clock of {settings.storage} is {abs(ahead_s):.0f} s {direction} this computer's.",
        "Set both by the same time server. Nothing is missed meanwhile, but times in the pages contradict each other.",
    )


def check_disk(settings: Settings, lab: Lab) -> Result:
    shortages = disk_space.shortages(settings, lab)
    if shortages:
        return Result(shortages[0].sentence, "Below that, uploads are soon refused.")
    free = min((disk.free for disk in disk_space.disks(settings, lab)), default=0)
    return Result(f"{free / 1e9:.0f} GB are free.")


def check_backup(settings: Settings, lab: Lab) -> Result:
    folder, now = backup_folder(settings, lab), datetime.now(UTC)
    if folder is None:
        return Result("No backups are made by themselves: name a folder in [backup] place of lab.toml.")
    record = read_record(settings)
    trouble = backup_trouble(lab, record, now)
    if trouble is not None:
        return Result(trouble.sentence, trouble.advice)
    good = record.last_good
    if good is None:
        return Result(f"There is no backup in {folder} yet, and [backup] time of lab.toml asks for none.")
    jobs, size = counted(good.jobs, "job"), f"{good.bytes / 1e9:.1f} GB"
    return Result(f"The last backup was made {relative(good.started_at, now)}: {jobs}, {size}, in {folder}.")


def check_watching(settings: Settings) -> Result:
    program = sync_program(settings.storage)
    if program is not None:
        return Result(
            f"{settings.storage} is a folder that {program} syncs, so the system polls it.",
            "Keep storage elsewhere: two computers that sync write over each other.",
        )
    if mode_for(settings.storage, settings.watch_mode) == "polling":
        is_remote = is_on_network(settings.storage)
        reason = "a network drive does not report what other computers change" if is_remote else "WATCH_MODE says so"
        return Result(f"The system polls the folders, because {reason}.")
    try:
        watches = int(WATCHES.read_text("ascii"))
    except (OSError, ValueError):  # not Linux
        return Result("The system tells of changes in the folders.")
    if watches < FEWEST_WATCHES:
        return Result(
            f"Linux lets this user watch {watches:,} folders only.",
            "As root: sysctl fs.inotify.max_user_watches=524288. Until then sweeps find what events miss.",
        )
    return Result(f"The system tells of changes in the folders, in up to {watches:,} of them.")


def check_paths(settings: Settings) -> Result:
    """Windows refuses longer paths than 260 letters unless an administrator switched them on. The system's own stay
    below; those of files that people and slicers save into a job need not."""
    if sys.platform != "win32":
        return Result("There is room for long file names.")
    room = room_for_names(settings.storage)
    if room >= ROOM_FOR_NAMES or long_paths_enabled():
        return Result("There is room for long file names.")
    return Result(
        f"Windows allows only {room} letters in the names of files that slicers save into a job's folder.",
        "Move storage to a shorter path, or switch long paths on as an administrator: reg add "
        "HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem /v LongPathsEnabled /t REG_DWORD /d 1",
    )


def room_for_names(storage: Path) -> int:
    """How many letters a file's name may have in a job folder with the longest name, by Windows' old limit."""
    longest = max(len(status) for status in Status)
    return MAX_PATH - len(str(storage.absolute())) - longest - FOLDER_NAME_LIMIT - len("///")


def long_paths_enabled() -> bool:
    """Windows 10 1607 and newer."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def check_secrets(settings: Settings) -> Result:
    secrets = [
        settings.instance / "secret-key",
        settings.instance / "staff-password-given",
        staff_password.hash_path(settings),
        api_tokens.tokens_path(settings),
        ROOT / ".env",
    ]
    try:
        readable = [path for path in secrets if path.exists() and others_may_read(path)]
    except OSError as error:
        return Result(f"Whether the secrets are this user's alone is not known: {error.strerror}.")
    if readable:
        names = " ".join(f'"{path}"' if " " in str(path) else str(path) for path in readable)
        cure = f"icacls {names} /inheritance:r /grant:r %USERNAME%:F" if os.name == "nt" else f"chmod 600 {names}"
        return Result(f"Other users of this computer can read {names}.", cure)
    return Result("The secrets are this user's alone.")


def check_opener() -> Result:
    """Never a finding: the computer that serves the pages is seldom one that slices."""
    try:
        schemes = registration().registered()
    except Refused as refused:
        return Result(f"Whether “Open in slicer” works on this computer is not known: {refused}")
    if not any(schemes.values()):
        return Result("“Open in slicer” is not set up on this computer: `python -m opener install`.")
    return Result("“Open in slicer” is set up on this computer; `python -m opener doctor` looks closer.")


def check_password(settings: Settings) -> Result:
    if staff_password.current_hash(settings):
        return Result("There is a staff password.")
    return Result("There is no staff password yet.", "`python manage.py set-password` chooses one.")


def check_database(settings: Settings) -> Result:
    url = settings.database_url or PostgresServer(settings.instance).url_if_running()
    if url is None:
        return Result("The embedded PostgreSQL is not running; `python manage.py run` starts it.")
    try:
        revision = current(url)
    except PrintSysError as error:
        return Result(
            str(error),
            "Look at DATABASE_URL and at the server. Until it is back the lab goes on from the folders.",
        )
    if revision is None:
        return Result("PostgreSQL answers; its tables are made when the system starts.")
    return Result(f"PostgreSQL answers; its tables are at version {revision}.")


def check_worker(settings: Settings) -> Result:
    worker = heartbeat.read(settings)
    if worker is None:
        return Result("The worker has not run on this computer yet.")
    if not worker.is_alive(datetime.now(UTC)):
        return Result(
            f"The worker was last seen {worker.at:%Y-%m-%d %H:%M} UTC.",
            "E-mails wait until it runs: `python manage.py run`. None is lost.",
        )
    if worker.sidelined:
        ids = ", ".join(str(problem.job_id) for problem in worker.sidelined)
        return Result(f"It gave up looking into the files of {ids}.", "See the jobs' pages for why.")
    if worker.trying:
        return Result(f"E-mail is held up: {worker.trying[-1].words}", "See “mail” below.")
    return Result("The worker is alive, and nothing holds e-mails up.")


def check_indexer(settings: Settings) -> Result:
    indexer = heartbeat.read_indexer(settings)
    if indexer is None:
        return Result("The indexer has not run on this computer yet.")
    if not indexer.is_alive(datetime.now(UTC)):
        return Result(
            f"The indexer was last seen {indexer.at:%Y-%m-%d %H:%M} UTC.",
            "What people do in the folders is recorded when it runs: `python manage.py run`.",
        )
    if indexer.problem:
        return Result(f"The indexer meets an error: {indexer.problem}", "Its log in instance/logs/ has the details.")
    if indexer.watch_problem:
        return Result(indexer.watch_problem, "The indexer tries again every five minutes.")
    return Result("The indexer follows the folders.")


def check_queue(settings: Settings) -> Result:
    if not settings.redis_url:
        return Result("The task queue is a file in instance/.")
    try:
        waiting = queue_length(make_huey(settings))
    except QUEUE_DOWN as error:
        return Result(
            f"Redis does not answer: {error}",
            "Look at REDIS_URL and at the server. Until it is back, e-mails wait; none is lost.",
        )
    return Result(f"Redis answers; {waiting} tasks wait.")


def check_mail(settings: Settings) -> Result:
    if settings.mail is None:
        return Result(
            f"There is no MAIL_SERVER: e-mails become files in {settings.instance / 'outbox'}, and reach nobody.",
        )
    answer = check_connection(settings.mail)
    if isinstance(answer, Sent):
        return Result(f"{settings.mail.host} lets us in. `send-test-email ADDRESS` tries a whole e-mail.")
    return Result(answer.words, "The lab goes on; e-mails wait until the server takes them.")
