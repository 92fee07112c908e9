"""The embedded PostgreSQL, a real one each time: shared, adopted after a crash, replaced when ruined."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from printsys.errors import PostgresFailed
from printsys.ops.postgres import PostgresServer, embedded_postgres, former_port, free_port
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from printsys.ops.postgres import former_port, free_port, embedded_postgres
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


def execute(url: str, statement: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def server_pid(instance: Path) -> int:
    return int((instance / "postgres" / "postmaster.pid").read_text("utf-8").split()[0])


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def suspend_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # what served the last connection may just have ended
            process.suspend()


def resume_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def hold(instance: Path) -> subprocess.Popen[str]:
    """Another process that uses the same server until its input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(instance)],
        cwd=ROOT,
        encoding="utf-8",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_the_server_runs_as_long_as_it_is_used(instance: Path) -> None:
    with embedded_postgres(instance) as url:
        assert url.startswith("postgresql+psycopg2://")
        assert answers(url) == "printsys"
        pid = server_pid(instance)
    until(lambda: not is_running(pid))  # it removes its pid file a moment before it ends
    assert {path.name for path in instance.iterdir()} <= {"postgres", "postgres.lock"}


def test_what_it_held_is_there_at_the_next_start(instance: Path) -> None:
    for statement in ("CREATE TABLE remembered (n int)", "SELECT n FROM remembered"):
        with embedded_postgres(instance) as url:
            execute(url, statement)


@pytest.mark.parametrize(
    "name",
    [
        "the lab's own (instance) & more",
        "a&b;c",
        "a,b",
        pytest.param(
            "/".join(["deep"] * 40),
            marks=pytest.mark.skipif(os.name == "nt", reason="PostgreSQL keeps to Windows' 260 characters"),
        ),
    ],
)
def test_any_path_will_do(instance: Path, name: str) -> None:
    with embedded_postgres(instance / name) as url:
        assert answers(url) == "printsys"


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_a_path_that_a_shell_would_expand_is_refused(instance: Path) -> None:
    with pytest.raises(PostgresFailed, match="in its path"), embedded_postgres(instance / "$(touch gone)"):
        pass


def test_two_processes_share_it_and_the_last_one_stops_it(instance: Path) -> None:
    holder = hold(instance)
    with embedded_postgres(instance) as url:
        pid = server_pid(instance)
        assert answers(url) == "printsys"
    assert is_running(pid)
    holder.communicate()
    until(lambda: not is_running(pid))  # it removes its pid file a moment before it ends


def test_using_it_twice_in_one_process_stops_it_once(instance: Path) -> None:
    with embedded_postgres(instance) as url:
        with embedded_postgres(instance) as second_url:
            assert second_url == url
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
    until(lambda: not is_running(pid))  # it removes its pid file a moment before it ends


@pytest.mark.skipif(os.name == "nt", reason="kills as only POSIX can")
def test_after_a_power_cut_it_starts_although_its_old_number_is_another_programs(instance: Path) -> None:
    parent = hold(instance)
    for process in (parent.pid, server_pid(instance)):
        os.kill(process, signal.SIGKILL)
    parent.wait()
    pid_file = instance / "postgres" / "postmaster.pid"
    _, *rest = pid_file.read_text("utf-8").splitlines(keepends=True)
    pid_file.write_text("".join([f"{os.getpid()}\n", *rest]), "utf-8")
    with embedded_postgres(instance) as url:
        assert answers(url) == "printsys"


def test_a_killed_user_does_not_keep_it_running(instance: Path) -> None:
    holder = hold(instance)
    with embedded_postgres(instance):
        pid = server_pid(instance)
        holder.kill()
        holder.wait()
    until(lambda: not is_running(pid))  # it removes its pid file a moment before it ends
    assert {path.name for path in instance.iterdir()} <= {"postgres", "postgres.lock"}


@pytest.mark.skipif(os.name == "nt", reason="kills as only POSIX can")
def test_after_its_main_process_was_killed_it_waits_for_the_others_and_keeps_its_data(instance: Path) -> None:
    with embedded_postgres(instance) as url:
        execute(url, "CREATE TABLE remembered (n int)")
        main = psutil.Process(server_pid(instance))
        background = main.children()
        suspend_all(background)  # so that they do not end by themselves
        main.kill()
        resume = threading.Timer(1, resume_all, args=[background])
        resume.start()
        server = PostgresServer(instance)
        until(lambda: not server.is_listening())
        with server.locked():
            assert server.start() == url
        resume.join()
        execute(url, "SELECT n FROM remembered")
    assert not (instance / "postgres.broken").exists()


@pytest.mark.parametrize("ruined", ["global/pg_control", "PG_VERSION"])
def test_data_that_do_not_start_are_set_aside_and_an_empty_database_begins(instance: Path, ruined: str) -> None:
    with embedded_postgres(instance) as url:
        execute(url, "CREATE TABLE remembered (n int)")
    (instance / "postgres" / ruined).write_bytes(b"\0" * 100)
    with embedded_postgres(instance) as url, pytest.raises(sa.exc.ProgrammingError, match="does not exist"):
        execute(url, "SELECT n FROM remembered")
    assert (instance / "postgres.broken" / "global").exists()


def test_data_of_another_major_version_are_set_aside(instance: Path, caplog: pytest.LogCaptureFixture) -> None:
    with embedded_postgres(instance):
        pass
    (instance / "postgres" / "PG_VERSION").write_text("18\n", "utf-8")
    with embedded_postgres(instance) as url:
        assert answers(url) == "printsys"
    assert (instance / "postgres.broken" / "PG_VERSION").read_text("utf-8") == "18\n"
    assert "PostgreSQL 18 made the data" in caplog.text
    assert "did not start" not in caplog.text


def test_a_statement_that_fails_is_not_in_the_servers_log(instance: Path) -> None:
    with embedded_postgres(instance) as url:
        with pytest.raises(sa.exc.ProgrammingError):
            execute(url, "SELECT 'jane@example.edu' FROM nowhere")
    log = (instance / "postgres" / "log").read_text("utf-8")
    assert "nowhere" in log
    assert "jane@" not in log


def test_the_port_of_the_last_start_is_taken_again_unless_another_program_has_it(tmp_path: Path) -> None:
    assert former_port(tmp_path) == 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        line = f'C:\\lab\\bin\\postgres.exe "-D" "C:/lab/instance/postgres" "-h" "127.0.0.1" "-p" "{taken}"\n'
        (tmp_path / "postmaster.opts").write_text(line, "utf-8")
        assert former_port(tmp_path) == taken
        assert free_port(taken) not in (taken, 0)
    assert free_port(taken) == taken
    assert 0 < free_port(99999) < 65536
