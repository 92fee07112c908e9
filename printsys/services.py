"""Builds the parts of one process: `manage.py`'s commands, the web app and the worker start from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.actions import Actions
from printsys.config import Lab, Settings, load_lab, make_private_folder
from printsys.credentials.signed_links import Tokens
from printsys.jobstore import JobStore
from printsys.jobstore.identity import recognise

NO_DATABASE = "postgresql+psycopg2://127.0.0.1:1/none"
"""Nothing listens there: without a server the mirror is down, and the lab goes on."""


@dataclass(frozen=True)
class Services:
    """Everything a process of the system works with."""

    settings: Settings
    lab: Lab
    store: JobStore
    mirror: Mirror
    queries: Queries
    actions: Actions
    tokens: Tokens


def build_services(settings: Settings, enqueue: Callable[[str], None]) -> Services:
    """`enqueue(job_id)` tells the task queue that a job may owe work. ConfigError, StorageFailure."""
    lab = load_lab(settings.lab_config)
    store = open_store(settings)
    store.most_files = lab.folders.most_files
    engine = create_engine(settings.database_url or NO_DATABASE)
    mirror = Mirror(engine)
    return Services(
        settings=settings,
        lab=lab,
        store=store,
        mirror=mirror,
        queries=Queries(engine),
        actions=Actions(store, mirror, lab, enqueue, drag_grace=timedelta(seconds=settings.drag_grace_s)),
        tokens=Tokens(settings.secret_key),
    )


def open_store(settings: Settings) -> JobStore:
    return JobStore(settings.storage, recognise(settings.storage, remembered_at(settings)))


def remembered_at(settings: Settings) -> Path:
    """The file in which this machine remembers which storage is the lab's."""
    make_private_folder(settings.instance)
    return settings.instance / "storage-id"
