"""What the logs have: enough to look after the system, nothing of students."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.schema import create_engine
from printsys.config import ROOT
from printsys.errors import StorageFailure
from printsys.ops import logging_setup

NAME = "Zenobia"
GIFT = f"Uploaded/{NAME}Quux_Resin_Black_a48y3vyk/original/her gift.stl"
"""Named here, since a traceback shows the lines of code that it went through."""


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook
    yield root
    sys.excepthook, threading.excepthook = hooks
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers, root.level = before, level


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("550 <jane@example.edu> no such user", "550 <…@…> no such user"),
        (
            "Client gone while serving /status/ImV4YW1wN2UwIg.sfQWXz4QeW7BfIgj6yyKK1xD1NU",
            "Client gone while serving /status/…",
        ),
        ("Uploaded/JaneDoe_Filament_TrueRed_a48y3vyk is looked at later", "Uploaded/…_a48y3vyk is looked at later"),
        (
            "[Errno 2] No such file: '/srv/storage/Uploaded/JaneDoe_Resin_Black_a48y3vyk/original/my bust.stl'",
            "[Errno 2] No such file: '/srv/storage/Uploaded/…_a48y3vyk/…'",
        ),
        ("cannot open 'my bust of jane.stl'", "cannot open '…'"),
        ("null value\nDETAIL: Failing row contains (Jane Doe).", "null value\nDETAIL: …"),
        ("could not connect to postgresql://lab:secret@db/printsys", "could not connect to postgresql://…@db/printsys"),
        ("job a48y3vyk: StaffApproved by staff", "job a48y3vyk: StaffApproved by staff"),
        ("swept: 12 jobs, 0 changed, 0 removed", "swept: 12 jobs, 0 changed, 0 removed"),
    ],
)
def test_what_only_the_lab_may_know_is_redacted(text: str, redacted: str) -> None:
    assert logging_setup.redact(text) == redacted


def test_a_traceback_is_redacted_too(tmp_path: Path, root: logging.Logger) -> None:
    logging_setup.log_to_file(tmp_path, "web")
    try:
        raise OSError("mail to jane@example.edu")
    except OSError:
        logging.getLogger("a").exception("job %s: it broke", "a48y3vyk")
    text = (tmp_path / "logs" / "web.log").read_text("utf-8")
    assert "job a48y3vyk: it broke" in text and "Traceback" in text and "OSError: mail to …@…" in text


def test_logs_rotate_and_old_ones_go(tmp_path: Path, root: logging.Logger) -> None:
    logging_setup.log_to_file(tmp_path, "index")
    line = "x" * 10_000
    for number in range(logging_setup.MAX_BYTES // len(line) * (logging_setup.OLD_FILES + 2)):
        logging.getLogger("a").warning("%d %s", number, line)
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert names == ["index.log", *(f"index.log.{n}" for n in range(1, logging_setup.OLD_FILES + 1))]
    assert all(path.stat().st_size <= logging_setup.MAX_BYTES for path in (tmp_path / "logs").iterdir())


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, root: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").write_text("a file in its place", "utf-8")
    logging_setup.log_to_file(tmp_path, "web")
    assert "there is no log in" in caplog.text


def test_an_event_keeps_to_its_line() -> None:
    record = logging.LogRecord("a", logging.INFO, "a", 1, "%s", ("said\r\n2026 ERROR forged",), None)
    assert (
        logging_setup.RedactingFormatter(logging_setup.FORMAT).format(record).endswith("INFO a: said 2026 ERROR forged")
    )


def test_a_traceback_says_where_and_not_what_was_typed() -> None:
    try:
        try:
            raise ValueError(NAME)
        except ValueError as error:
            raise StorageFailure(f"full: {GIFT}") from error
    except StorageFailure:
        text = formatted_error()
    assert "ValueError" in text and "test_logging_setup.py" in text
    assert text.endswith("printsys.errors.StorageFailure: full: Uploaded/…_a48y3vyk/…")
    assert NAME not in text


def test_errors_of_the_database_quote_no_rows(database_url: str) -> None:
    """psycopg2 quotes the statement with its values, whatever SQLAlchemy hides."""
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT * FROM no_such_table WHERE name = :name"), {"name": NAME})
    except sa.exc.ProgrammingError:
        text = formatted_error()
    engine.dispose()
    assert "sqlalchemy.exc.ProgrammingError" in text and "psycopg2.errors.UndefinedTable" in text
    assert NAME not in text


def formatted_error() -> str:
    return logging_setup.RedactingFormatter(logging_setup.FORMAT).format(
        logging.LogRecord("a", 40, "a", 1, "broke", (), sys.exc_info())
    )


FILL = """
import logging, sys
from pathlib import Path
from printsys.ops import logging_setup
logging_setup.MAX_BYTES = 20_000
logging_setup.log_to_file(Path(sys.argv[1]), "web")
for number in range(1000):
    logging.getLogger("a").info("line %d", number)
print("done", flush=True)
sys.stdin.read()
raise ValueError("Zenobia")
"""


def filled(instance: Path) -> subprocess.Popen[str]:
    """A process that has filled its log and holds it still."""
    command = [sys.executable, "-c", FILL, str(instance)]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, encoding="utf-8", stdin=pipe, stdout=pipe, stderr=nothing)
    assert process.stdout is not None and process.stdout.readline() == "done\n"
    return process


def test_two_processes_never_rotate_one_file(tmp_path: Path) -> None:
    both = filled(tmp_path), filled(tmp_path)
    for name in ("web.log", "web-2.log"):
        assert (tmp_path / "logs" / name).read_text("utf-8").endswith("line 999\n")
    for process in both:
        process.communicate(timeout=30)
    filled(tmp_path).communicate(timeout=30)
    assert not (tmp_path / "logs" / "web-3.log").exists()


def test_what_ends_a_process_is_in_its_log(tmp_path: Path) -> None:
    filled(tmp_path).communicate(timeout=30)
    text = (tmp_path / "logs" / "web.log").read_text("utf-8")
    assert "CRITICAL printsys.ops.logging_setup: this process crashed" in text
    assert text.endswith("ValueError\n")


def fail(logger: logging.Logger, code: int) -> None:
    try:
        raise OSError(code, os.strerror(code))
    except OSError:
        logger.exception("the loop goes on")


def test_the_same_error_is_logged_once_with_a_count(tmp_path: Path, root: logging.Logger) -> None:
    # FAULTS R14
    root.handlers = []
    logging_setup.log_to_file(tmp_path, "web")
    logger = logging.getLogger("a loop")
    repetitions = []
    for handler in root.handlers:
        repetitions.append(logging_setup.RepetitionFilter(again_after_s=3600))
        handler.filters = [repetitions[-1]]
    for _ in range(10_000):
        fail(logger, errno.EMFILE)
    logger.error("another error")
    log = (tmp_path / "logs" / "web.log").read_text("utf-8")
    assert log.count("Traceback") == 1 and log.count("another error") == 1
    for repetition in repetitions:
        repetition.again_after_s = 0
    fail(logger, errno.EMFILE)
    assert "9,999 more times since it was last logged" in (tmp_path / "logs" / "web.log").read_text("utf-8")


def test_information_and_errors_that_differ_are_all_logged() -> None:
    same = logging_setup.RepetitionFilter()
    records = [logging.LogRecord("a", logging.INFO, "a", 1, "swept", (), None) for _ in range(3)]
    records += [logging.LogRecord("a", logging.ERROR, "a", 1, "job %d", (number,), None) for number in range(3)]
    assert all(same.filter(record) for record in records)
    assert not same.filter(records[-1])


def test_a_log_on_a_full_disk_complains_once(
    tmp_path: Path, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    root.handlers = []
    logging_setup.log_to_file(tmp_path, "web")
    (log,) = [handler for handler in root.handlers if isinstance(handler, logging_setup.ProcessLog)]
    log.close()
    log.stream = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115  the handler closes it
    for number in range(100):
        logging.getLogger("a").warning("line %d", number)
    printed = capsys.readouterr().err
    assert printed.count("cannot be written") == 1 and "Logging error" not in printed
