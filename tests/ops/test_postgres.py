"""The embedded PostgreSQL, a real one each time: shared, adopted after a crash, made anew when ruined."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from printsys.ops.postgres import PostgresFailed, embedded_postgres

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from printsys.ops.postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def instance() -> Iterator[Path]:
    # Not under pytest's own folder: run as root the server is another user's, who may not go in there.
    with tempfile.TemporaryDirectory(prefix="printsys-tests-") as folder:
        yield Path(folder) / "instance"


def answers(url: str) -> str:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return str(connection.execute(sa.text("SELECT current_database()")).scalar_one())
    finally:
        engine.dispose()


def server_pid(instance: Path) -> int:
    return int((instance / "postgres" / "postmaster.pid").read_text().split()[0])


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def hold(instance: Path) -> subprocess.Popen[str]:
    """Another process that uses the same server until its input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(instance)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_the_server_runs_as_long_as_it_is_used(instance: Path) -> None:
    with embedded_postgres(instance) as url:
        assert url.startswith("postgresql+psycopg2://")
        assert answers(url) == "printsys"
        pid = server_pid(instance)
    assert not is_running(pid)
    assert sorted(path.name for path in instance.iterdir()) == ["postgres", "postgres.lock"]


def test_what_it_held_is_there_at_the_next_start(instance: Path) -> None:
    for statement in ("CREATE TABLE kept (n int)", "SELECT n FROM kept"):
        with embedded_postgres(instance) as url:
            engine = sa.create_engine(url)
            with engine.begin() as connection:
                connection.execute(sa.text(statement))
            engine.dispose()


@pytest.mark.parametrize("name", ["the lab's own (instance) & more", "/".join(["deep"] * 40)])
def test_any_path_will_do(instance: Path, name: str) -> None:
    with embedded_postgres(instance / name) as url:
        assert answers(url) == "printsys"


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_a_path_that_a_shell_would_expand_is_refused(instance: Path) -> None:
    with pytest.raises(PostgresFailed, match="in its path"), embedded_postgres(instance / "$(touch gone)"):
        pass


def test_two_processes_share_it_and_the_last_one_stops_it(instance: Path) -> None:
    other = hold(instance)
    with embedded_postgres(instance) as url:
        pid = server_pid(instance)
        assert answers(url) == "printsys"
    assert is_running(pid)
    other.communicate()
    assert not is_running(pid)


def test_using_it_twice_in_one_process_stops_it_once(instance: Path) -> None:
    with embedded_postgres(instance) as url:
        with embedded_postgres(instance) as again:
            assert again == url
        assert answers(url) == "printsys"


def test_a_server_that_outlived_its_killed_parent_is_adopted_and_stopped(instance: Path) -> None:
    parent = hold(instance)
    pid = server_pid(instance)
    parent.kill()
    parent.wait()
    assert is_running(pid)
    with embedded_postgres(instance) as url:
        assert server_pid(instance) == pid
        assert answers(url) == "printsys"
    assert not is_running(pid)


@pytest.mark.skipif(os.name == "nt", reason="kills as only POSIX can")
def test_after_a_power_cut_it_starts_although_its_old_number_is_another_programs(instance: Path) -> None:
    parent = hold(instance)
    for process in (parent.pid, server_pid(instance)):
        os.kill(process, signal.SIGKILL)
    parent.wait()
    pid_file = instance / "postgres" / "postmaster.pid"
    _, *rest = pid_file.read_text().splitlines(keepends=True)
    pid_file.write_text("".join([f"{os.getpid()}\n", *rest]))
    with embedded_postgres(instance) as url:
        assert answers(url) == "printsys"


def test_a_dead_users_number_that_another_program_has_now_does_not_keep_it_running(instance: Path) -> None:
    with embedded_postgres(instance):
        pid = server_pid(instance)
        (instance / "postgres" / ".handle_pids.json").write_text(f"[1, {pid}, {os.getpid()}]")
    assert not is_running(pid)


def test_data_that_no_longer_start_are_set_aside_and_made_anew(instance: Path) -> None:
    with embedded_postgres(instance):
        pass
    (instance / "postgres" / "global" / "pg_control").write_bytes(b"\0" * 100)
    with embedded_postgres(instance) as url:
        assert answers(url) == "printsys"
    assert (instance / "postgres.broken" / "PG_VERSION").exists()
