"""One line for each link: what it asked for and what came of it, in a log that rotates.

It holds job ids, kinds of files and verdicts, but no file names: those have students' names in them. Only the traceback
of a mistake of the opener's own may contain one.
"""

from __future__ import annotations

import logging
import sys
import time
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

SIZE_LIMIT = 256 * 1024
KEPT = 3


class _Handler(RotatingFileHandler):
    """Reports on stderr that the log cannot be written; that keeps no file from opening."""

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        print(f"The opener's log {self.baseFilename} cannot be written: {sys.exc_info()[1]}", file=sys.stderr)


def opener_log(path: Path) -> logging.Logger:
    """A logger of its own, so that two of them in one process do not write into each other's files."""
    handler = _Handler(path, maxBytes=SIZE_LIMIT, backupCount=KEPT, encoding="utf-8", delay=True)
    formatter = logging.Formatter("%(asctime)sZ %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.Logger("opener")
    logger.addHandler(handler)
    return logger


def files(path: Path) -> list[Path]:
    """The log and its older parts, as far as they are there."""
    return sorted(path.parent.glob(f"{path.name}*"))
