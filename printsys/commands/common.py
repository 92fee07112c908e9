"""What several commands share."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from indexer import migrate
from indexer.schema import create_engine
from printsys.actions.due_jobs import DueJob, DueList, Task, due_before, due_list, write_list
from printsys.config import Settings, load_settings, make_private_folder
from printsys.domain.events import STAFF, SYSTEM, actor_kind
from printsys.errors import PostgresFailed, PrintSysError
from printsys.jobstore import JobStore
from printsys.jobstore.identity import require_storage
from printsys.ops.postgres import embedded_postgres
from printsys.services import Services, build_services, open_store, remembered_at
from printsys.worker.queue import make_enqueue

logger = logging.getLogger(__name__)
Find = Callable[[JobStore, datetime, list[tuple[str, str]]], Iterator[DueJob]]


def add_storage_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--storage", type=Path, help="the storage folder (default: PRINTSYS_STORAGE, or storage/)")


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is no port; they go from 1 to 65535")
    return int(text)


def number_of_days(text: str) -> int:
    if not text.isdecimal() or int(text) > 36_500:
        raise argparse.ArgumentTypeError(f"{text} is no number of days")
    return int(text)


def read_settings(args: argparse.Namespace) -> Settings:
    """This machine's settings; the command line's --storage wins. ConfigError."""
    storage = {"PRINTSYS_STORAGE": str(args.storage.absolute())} if args.storage else {}
    return load_settings(os.environ | storage)


def is_running(settings: Settings) -> bool:
    """Whether some process runs the system on this instance."""
    try:
        with only_process(settings, ""):
            return False
    except PrintSysError:
        return True


@contextmanager
def only_process(settings: Settings, refusal: str) -> Iterator[None]:
    """While the body runs, no other process runs the system on this instance. PrintSysError(refusal)."""
    make_private_folder(settings.instance)
    lock = FileLock(settings.instance / "run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise PrintSysError(refusal) from error
    try:
        yield
    finally:
        lock.release()


def existing_store(settings: Settings) -> JobStore:
    """The lab's storage. Unlike `open_store` it sets no empty one up. StorageOffline, ConfigError."""
    require_storage(settings.storage, remembered_at(settings))
    return open_store(settings)


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """Settings with a database, the lab's own server or the embedded one, while the body runs. PostgresFailed."""
    if settings.database_url:
        yield settings
        return
    with embedded_postgres(settings.instance) as url:
        yield settings.model_copy(update={"database_url": url})


@contextmanager
def database_if_possible(settings: Settings) -> Iterator[Settings]:
    """As `database`; without a database_url where none can be had: the folders are the record."""
    with ExitStack() as stack:
        try:
            settings = stack.enter_context(database(settings))
        except PostgresFailed as error:
            logger.warning("the database did not start; going on from the folders alone: %s", error.reason)
        yield settings


@contextmanager
def migrated_engine(settings: Settings) -> Iterator[sa.Engine]:
    """The mirror's database with its tables up to date, while the body runs. PostgresFailed, MirrorDown."""
    with database(settings) as settings:
        migrate.upgrade(settings.database_url or "")
        engine = create_engine(settings.database_url or "")
        try:
            yield engine
        finally:
            engine.dispose()


def print_result(args: argparse.Namespace, document: object, text: str) -> None:
    """The document where --json asks for it, else the text."""
    print_all(json.dumps(document, indent=2) if args.json else text)


def print_all(text: str, end: str = "\n") -> None:
    """Or as much as the next program wants to read: `| head` wants less."""
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest as it ends


@contextmanager
def with_services(settings: Settings) -> Iterator[Services]:
    """For a command that changes jobs. Without a database it goes on: the folders are the record, and the mirror
    follows by itself."""
    with ExitStack() as stack:
        try:
            settings = stack.enter_context(database(settings))
            migrate.upgrade(settings.database_url or "")
        except PrintSysError as error:
            print(error, file=sys.stderr)
        services = build_services(settings, make_enqueue(settings))
        try:
            yield services
        finally:
            services.mirror.engine.dispose()


# -- lists of jobs that one call of `archive` or `prune --archived` makes, and another one carries out ----------------


def add_list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--save-list", type=Path, metavar="FILE", help="with --dry-run: keep the list in a file")
    parser.add_argument("--from-list", type=Path, metavar="FILE", help="the jobs of such a list and no others")
    parser.add_argument(
        "--actor",
        type=actor,
        default=SYSTEM,
        help="whose doing it is for the jobs' logs: system, staff or staff:NAME (default: system)",
    )


def actor(text: str) -> str:
    if text not in (SYSTEM, STAFF) and not (actor_kind(text) == STAFF and text.partition(":")[2].strip()):
        raise argparse.ArgumentTypeError(f"{text} is nobody; it is system, staff or staff:NAME")
    return text


def require_one_use(args: argparse.Namespace) -> None:
    """PrintSysError where it is to make a list and not only to list, or to look at other jobs than those of a list."""
    if args.save_list is not None and not args.dry_run:
        raise PrintSysError("--save-list is for --dry-run. Nothing was changed.")
    if args.from_list is not None and (args.dry_run or args.older_than is not None):
        raise PrintSysError("--from-list takes the jobs that were listed, so no --older-than and no --dry-run.")


def make_list(args: argparse.Namespace, task: Task, store: JobStore, days: int, find: Find) -> DueList:
    """Of what is due now, kept in a file where --save-list asks for it."""
    now = datetime.now(UTC)
    skipped: list[tuple[str, str]] = []
    jobs = list(find(store, due_before(now, days), skipped))
    listed = due_list(task, now, days, jobs, skipped)
    if args.save_list is not None:
        try:
            write_list(args.save_list, listed)
        except OSError as error:
            raise PrintSysError(f"The list cannot be written to {args.save_list} ({error.strerror}).") from error
    return listed
