"""What several commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from printsys.config import Settings, load_settings
from printsys.ops.postgres import embedded_postgres


def add_storage_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--storage", type=Path, help="the storage folder (default: PRINTSYS_STORAGE, or storage/)")


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is no port; they go from 1 to 65535")
    return int(text)


def settings_from(args: argparse.Namespace) -> Settings:
    """Settings, with what the command line says over them, passed on to child processes by the environment."""
    if getattr(args, "storage", None):
        os.environ["PRINTSYS_STORAGE"] = str(args.storage.absolute())
    return load_settings()


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """Settings with a database, the lab's own server or the embedded one, while the body runs. PostgresFailed."""
    if settings.database_url:
        yield settings
        return
    with embedded_postgres(settings.instance) as url:
        yield settings.model_copy(update={"database_url": url})
