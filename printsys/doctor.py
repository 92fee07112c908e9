"""What is wrong on this computer, in plain words, and what to do about it. Looks only; nothing is set up or changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from indexer.migrate import current
from indexer.watcher import mode_for
from opener.refusals import Refused
from opener.registration import registration
from printsys import fs
from printsys.config import ROOT, Settings
from printsys.config.lab import Lab
from printsys.credentials import api_tokens, staff_password
from printsys.domain.status import Status
from printsys.errors import PrintSysError
from printsys.jobstore.layout import Layout
from printsys.mail.smtp import Sent, check_connection
from printsys.ops import disk_space, heartbeat, postgres
from printsys.services import remembered_at
from printsys.worker.queue import QUEUE_DOWN, make_huey, queue_length

WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
FEWEST_WATCHES = 65_536
"""A live job takes three: its folder, original/ and previews/."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `advice` is empty where all is well."""

    name: str
    is_fine: bool
    said: str
    advice: str = ""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def examine(settings: Settings, lab: Lab) -> Iterator[Check]:
    """Each check as it is done; mail and database may take a few seconds. Raises nothing for what it finds."""
    looks: tuple[Callable[[Settings, Lab], Check], ...] = (
        _python, _storage, _disk, _watching, _secrets, _staff_password, _database, _worker, _queue, _mail, _opener,
    )  # fmt: skip
    for look in looks:
        yield look(settings, lab)


def _python(_settings: Settings, _lab: Lab) -> Check:
    return Check("python", True, f"Python {sys.version.split()[0]}; settings and lab.toml can be read.")


def _storage(settings: Settings, _lab: Lab) -> Check:
    layout = Layout(settings.storage)
    if not settings.storage.is_dir():
        return Check(
            "storage", False, f"{settings.storage} is not there.",
            "Mount it, or set PRINTSYS_STORAGE. For a new lab `python manage.py run` makes it.",
        )  # fmt: skip
    if not layout.storage_id.exists():
        return Check(
            "storage", False, f"{settings.storage} is no storage of ours yet.",
            "Is this the right folder, and is the share mounted? `python manage.py run` sets an empty one up.",
        )  # fmt: skip
    if not os.access(settings.storage, os.W_OK) or not os.access(layout.staging.parent, os.W_OK):
        return Check(
            "storage", False, f"{settings.storage} cannot be written by this user.",
            "Give the user that runs the system the right to write there.",
        )  # fmt: skip
    if _is_another(settings, layout):
        return Check(
            "storage", False, f"{settings.storage} is a storage, but not the one that this computer knows.",
            f"Mount the lab's own there. If it is meant to be this one: delete {remembered_at(settings)}.",
        )  # fmt: skip
    elsewhere = [s.value for s in Status if not _are_together(layout.status(s), layout.staging)]
    if elsewhere:
        return Check(
            "storage", False, f"{', '.join(elsewhere)} and {layout.system.name} lie on different disks.",
            "A folder moves in one step only within one disk: put them all on the same.",
        )  # fmt: skip
    return Check("storage", True, f"{settings.storage} is there and can be written.")


def _is_another(settings: Settings, layout: Layout) -> bool:
    """As jobstore/identity.py proves it at the start."""
    remembered = fs.read_if_there(remembered_at(settings))
    return remembered is not None and remembered.strip() not in (b"", fs.read(layout.storage_id).strip())


def _are_together(one: Path, other: Path) -> bool:
    return not one.exists() or not other.exists() or one.stat().st_dev == other.stat().st_dev


def _disk(settings: Settings, lab: Lab) -> Check:
    short = disk_space.shortages(settings, lab)
    if short:
        return Check("disk", False, short[0].sentence, "Below that, uploads are soon refused.")
    free = min((one.free for one in disk_space.rooms(settings, lab)), default=0)
    return Check("disk", True, f"{free / 1e9:.0f} GB are free.")


def _watching(settings: Settings, _lab: Lab) -> Check:
    mode = mode_for(settings.storage, settings.watch_mode)
    if mode == "polling":
        return Check("watching", True, "The folders are polled: on a network share nobody tells of changes.")
    try:
        watches = int(WATCHES.read_text("ascii"))
    except (OSError, ValueError):  # not Linux
        return Check("watching", True, "The system tells of changes in the folders.")
    if watches < FEWEST_WATCHES:
        return Check(
            "watching", False, f"Linux lets this user watch {watches:,} folders only.",
            "As root: sysctl fs.inotify.max_user_watches=524288. Until then sweeps find what events miss.",
        )  # fmt: skip
    return Check("watching", True, f"The system tells of changes in the folders, in up to {watches:,} of them.")


def _secrets(settings: Settings, _lab: Lab) -> Check:
    kept = [
        settings.instance / "secret-key",
        settings.instance / "staff-password-given",
        staff_password.hash_path(settings),
        api_tokens.tokens_path(settings),
        ROOT / ".env",
    ]
    readable = [path for path in kept if os.name == "posix" and path.exists() and path.stat().st_mode & 0o077]
    if readable:
        names = " ".join(str(path) for path in readable)
        return Check("secrets", False, f"Other users of this computer can read {names}.", f"chmod 600 {names}")
    return Check("secrets", True, "The secrets are this user's alone.")


def _opener(_settings: Settings, _lab: Lab) -> Check:
    """Never a finding: the computer that serves the pages is seldom one that slices."""
    try:
        called = registration().registered()
    except Refused as refused:
        return Check("opener", True, f"Whether “Open in slicer” works on this computer is not known: {refused}")
    if not any(called.values()):
        return Check("opener", True, "“Open in slicer” is not set up on this computer: `python -m opener install`.")
    return Check("opener", True, "“Open in slicer” is set up on this computer; `python -m opener doctor` looks closer.")


def _staff_password(settings: Settings, _lab: Lab) -> Check:
    if staff_password.current_hash(settings):
        return Check("password", True, "There is a staff password.")
    return Check("password", False, "There is no staff password yet.", "`python manage.py set-password` chooses one.")


def _database(settings: Settings, _lab: Lab) -> Check:
    url = settings.database_url or postgres.PostgresServer(settings.instance).url_if_running()
    if url is None:
        return Check("database", True, "The embedded PostgreSQL is not running; `python manage.py run` starts it.")
    try:
        revision = current(url)
    except PrintSysError as error:
        return Check(
            "database", False, str(error),
            "Look at DATABASE_URL and at the server. Until it is back the lab goes on from the folders.",
        )  # fmt: skip
    if revision is None:
        return Check("database", True, "PostgreSQL answers; its tables are made when the system starts.")
    return Check("database", True, f"PostgreSQL answers; its tables are at version {revision}.")


def _worker(settings: Settings, _lab: Lab) -> Check:
    beat = heartbeat.read(settings)
    if beat is None:
        return Check("worker", True, "The worker has not run on this computer yet.")
    if not beat.is_alive(datetime.now(UTC)):
        return Check(
            "worker", False, f"The worker was last seen {beat.at:%Y-%m-%d %H:%M} UTC.",
            "E-mails wait until it runs: `python manage.py run`. None is lost.",
        )  # fmt: skip
    if beat.sidelined:
        ids = ", ".join(str(one.job_id) for one in beat.sidelined)
        return Check("worker", False, f"It gave up looking into the files of {ids}.", "See the jobs' pages for why.")
    if beat.trying:
        return Check("worker", False, f"E-mail is held up: {beat.trying[-1].words}", "See “mail” below.")
    return Check("worker", True, "The worker is alive, and nothing holds e-mails up.")


def _queue(settings: Settings, _lab: Lab) -> Check:
    if not settings.redis_url:
        return Check("queue", True, "The task queue is a file in instance/.")
    try:
        waiting = queue_length(make_huey(settings))
    except QUEUE_DOWN as error:
        return Check(
            "queue", False, f"Redis does not answer: {error}",
            "Look at REDIS_URL and at the server. Until it is back, e-mails wait; none is lost.",
        )  # fmt: skip
    return Check("queue", True, f"Redis answers; {waiting} tasks wait.")


def _mail(settings: Settings, _lab: Lab) -> Check:
    if settings.mail is None:
        return Check(
            "mail", True,
            f"There is no MAIL_SERVER: e-mails become files in {settings.instance / 'outbox'}, and reach nobody.",
        )  # fmt: skip
    answer = check_connection(settings.mail)
    if isinstance(answer, Sent):
        return Check("mail", True, f"{settings.mail.host} lets us in. `send-test-email ADDRESS` tries a whole e-mail.")
    return Check("mail", False, answer.words, "The lab goes on; e-mails wait until the server takes them.")
