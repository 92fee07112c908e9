"""What the logs say: enough for whoever minds the system, nothing of students."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from printsys import logs


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield root
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers, root.level = before, level


@pytest.mark.parametrize(
    ("said", "kept"),
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
def test_what_is_nobodys_business_is_taken_out(said: str, kept: str) -> None:
    assert logs.discreet(said) == kept


def test_a_traceback_is_made_discreet_too(tmp_path: Path, root: logging.Logger) -> None:
    logs.keep(tmp_path, "web")
    try:
        raise OSError("mail to jane@example.edu")
    except OSError:
        logging.getLogger("a").exception("job %s: it broke", "a48y3vyk")
    text = (tmp_path / "logs" / "web.log").read_text("utf-8")
    assert "job a48y3vyk: it broke" in text and "Traceback" in text and "OSError: mail to …@…" in text


def test_logs_rotate_and_old_ones_go(tmp_path: Path, root: logging.Logger) -> None:
    logs.keep(tmp_path, "index")
    line = "x" * 10_000
    for number in range(logs.MOST_BYTES // len(line) * (logs.KEPT + 2)):
        logging.getLogger("a").warning("%d %s", number, line)
    kept = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert kept == ["index.log", *(f"index.log.{n}" for n in range(1, logs.KEPT + 1))]
    assert all(path.stat().st_size <= logs.MOST_BYTES for path in (tmp_path / "logs").iterdir())


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, root: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").write_text("a file in its place")
    logs.keep(tmp_path, "web")
    assert "no log is kept in" in caplog.text
