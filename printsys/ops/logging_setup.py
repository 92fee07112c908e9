"""The processes log to the terminal and to `instance/logs/<process>.log`, which rotate.

One line an event, a traceback below it where there is one. What students wrote stays in the folders: names, addresses
and links are redacted before a line reaches a log, and a job is named by its id.
"""

from __future__ import annotations

import logging
import math
import re
import sys
import threading
import time
import traceback
from collections import OrderedDict
from contextlib import suppress
from itertools import count
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from printsys.domain.naming import ID_ALPHABET, ID_LENGTH
from printsys.errors import PrintSysError

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MAX_BYTES = 2_000_000
REPEATED_AFTER_S = 60.0
MOST_REMEMBERED = 500
OLD_FILES = 5
"""Of each process: `web.log.1` is the newest of them."""
CHATTY = ("alembic", "huey", "filelock", "waitress.queue")
_LINE = "redacted_line"
"""Where a record keeps its line for its second handler: to make one takes longer than to write it."""
_ID = f"[{ID_ALPHABET}{ID_ALPHABET.upper()}]{{{ID_LENGTH}}}"
_REDACTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[^\s<>'\"(),;:=@]{1,64}@[\w.-]{1,255}\.\w{2,}"), "…@…"),
    (re.compile(r"\b(status|confirm|resubmit)/[\w.~=-]{12,}"), r"\1/…"),
    (re.compile(rf"(?<![^\s/\\'\"])[^\s/\\'\"]{{1,250}}_({_ID})(?=\.tmp\b|[/\\'\"\s:;,.)]|$)"), r"…_\1"),
    (re.compile(rf"(…_{_ID})[^\s/\\'\"]*[/\\][^'\"\n]*"), r"\1/…"),
    (re.compile(r"\b(original|previews)[/\\][^'\"\n]*"), r"\1/…"),
    (re.compile(r"^(DETAIL|CONTEXT|STATEMENT|LINE \d+):.*$", re.MULTILINE), r"\1: …"),
    (re.compile(r"(?<=')[^'\n]{1,250}\.(?:stl|obj|3mf|b?gcode)(?=')", re.IGNORECASE), "…"),
    (re.compile(r"\b(postgresql[\w+]*|rediss?)://[^\s'\"]*@"), r"\1://…@"),
)
"""E-mail addresses; links with tokens; job folders' names but for the id, and what lies in them; PostgreSQL's quotes of
rows; names of students' files; passwords in addresses of servers."""

logger = logging.getLogger(__name__)


def log_to_file(instance: Path, process: str) -> None:
    """From now on this process logs to its file and to the terminal; to the terminal alone where the folder cannot be
    written."""
    log_to_terminal()
    sys.excepthook, threading.excepthook = _log_crash, _log_thread_crash
    folder = instance / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = ProcessLog(folder, process)
    except OSError as error:
        logger.warning("there is no log in %s: %s", folder, error.strerror)
        return
    handler.setFormatter(RedactingFormatter(FORMAT))
    handler.addFilter(RepetitionFilter())
    logging.getLogger().addHandler(handler)


def log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(FORMAT))
    handler.addFilter(RepetitionFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class RepetitionFilter(logging.Filter):
    """Lets a warning or an error through once, and again after `REPEATED_AFTER_S` with how often it came meanwhile: a
    loop that fails must not fill the disk, nor hide what else happens. One for each handler."""

    def __init__(self, again_after_s: float = REPEATED_AFTER_S) -> None:
        super().__init__()
        self.again_after_s = again_after_s
        self._suppressed: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()
        """Since when, and how many, by what makes two records the same."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.repetitions = 0
        if record.levelno < logging.WARNING:
            return True
        key, now = _identity(record), time.monotonic()
        since, count = self._suppressed.get(key, (-math.inf, 0))
        if now - since < self.again_after_s:
            self._suppressed[key] = since, count + 1
            return False
        record.repetitions = count
        self._suppressed[key] = now, 0
        self._suppressed.move_to_end(key)
        if len(self._suppressed) > MOST_REMEMBERED:
            self._suppressed.popitem(last=False)
        return True


def _identity(record: logging.LogRecord) -> tuple[object, ...]:
    """What it says and, of an error, its kind and the line that raised it."""
    error, where = None, None
    if record.exc_info and record.exc_info[1] is not None:
        error = type(record.exc_info[1])
        frames = traceback.extract_tb(record.exc_info[2])
        where = (frames[-1].filename, frames[-1].lineno) if frames else None
    return record.name, record.levelno, record.getMessage(), error, where


class ProcessLog(RotatingFileHandler):
    """A file that no other process rotates: a second process of a kind, started by hand, writes `web-2.log`."""

    def __init__(self, folder: Path, process: str) -> None:
        self._complain_at = 0.0
        for number in count(1):
            name = process if number == 1 else f"{process}-{number}"
            self.file_lock = FileLock(folder.parent / f"log-{name}.lock", timeout=0)
            try:
                self.file_lock.acquire()
                break
            except Timeout:
                continue
        path = folder / f"{name}.log"
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=OLD_FILES, encoding="utf-8", errors="replace")

    def doRollover(self) -> None:
        """Windows moves no file that somebody has open: it grows until they close it."""
        try:
            super().doRollover()
        except OSError:  # the next line opens the same file again
            return

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk, or no file left to open: the terminal has the line, and hears of this once in a while."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)
        elif time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + REPEATED_AFTER_S
            sys.stderr.write(f"{self.baseFilename} cannot be written: {sys.exc_info()[1]}\n")

    def close(self) -> None:
        with suppress(OSError):  # the disk is full: what is left does not fit
            super().close()
        self.file_lock.release()


class RedactingFormatter(logging.Formatter):
    """Takes out what the lab's people alone may know, and keeps an event in its line whatever a student typed."""

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno >= logging.WARNING:  # it may say how often a handler has left it out
            return redact(super().format(record))
        line: str | None = record.__dict__.get(_LINE)
        if line is None:
            line = record.__dict__[_LINE] = redact(super().format(record))
        return line

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = " ".join(record.message.splitlines())
        if repetitions := getattr(record, "repetitions", 0):
            record.message += f" ({repetitions:,} more times since it was last logged)"
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """The words only of errors that are ours or the operating system's: any other may quote what a student typed,
        as psycopg2 quotes the whole statement with its values."""
        tracebacks: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None:
            tracebacks.insert(0, _traceback(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(tracebacks)


def _traceback(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    words = " ".join(str(error).split()) if isinstance(error, PrintSysError | OSError) else ""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{kind}{f': {words}' if words else ''}"


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logger.critical("this process crashed", exc_info=(kind, error, trace))


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None and not issubclass(crash.exc_type, SystemExit):
        error = (crash.exc_type, crash.exc_value, crash.exc_traceback)
        logger.critical("thread %s crashed", crash.thread.name if crash.thread else "?", exc_info=error)


def redact(text: str) -> str:
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text
