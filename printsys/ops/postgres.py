"""The embedded PostgreSQL under instance/, for labs without a server of their own. It holds only the mirror.

The first process that needs it starts it, others share it, the last one to leave stops it. Each use holds a lock on a
file of its own, which the operating system frees when the process dies. Under `run` a second process uses it, too, and
stops it when `run` was killed; the next start adopts a server that outlived both.
Data that do not start, or that another version made, are set aside: everything in them comes back from the folders.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shlex
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from filelock import FileLock, Timeout

from printsys.errors import PostgresFailed
from printsys.ops.postgres_programs import give_to_server_user, run, succeeds, version

DATABASE = "printsys"
SETTINGS = ("log_min_error_statement=panic", "log_error_verbosity=terse")
"""The server's own log has no statements and no rows: they are students' data."""
INITDB = ("--auth=trust", "--encoding=utf8", "--locale=C", "--username=postgres", "--no-sync")
"""One locale on every system: the same order, and messages in English. Unsynced, because syncing takes many times as
long as all the rest, and data that a power cut ruins are set aside."""
START_PATIENCE_S = 60
"""After a power cut PostgreSQL first replays its own log."""
ORPHANS_PATIENCE_S = 30.0
ORPHANS = "shared memory block"
"""PostgreSQL's words when children of a killed server still use the data. They end by themselves, but not at once."""
LISTENING_PATIENCE_S = 1.0
LOCK_PATIENCE_S = 180.0
SOCKET_PATH_LIMIT = 100
"""Bytes of a Unix socket's path, with some to spare (sockaddr_un: 108 on Linux, 104 on macOS)."""
MOST_LOG_BYTES = 5_000_000
SHELL_SIGNS = set('"$`\\\n')
"""PostgreSQL's own pg_ctl hands the path of the data to a shell between double quotes."""
logger = logging.getLogger(__name__)


@contextmanager
def embedded_postgres(instance: Path) -> Iterator[str]:
    """SQLAlchemy URL of the instance's own server, running while the body does. PostgresFailed."""
    server = PostgresServer(instance)
    use = FileLock(server.data.with_name(f"postgres-{uuid.uuid4().hex}.lock"))
    with server.locked():
        url = server.start()
        use.acquire()
    try:
        yield url
    finally:
        with server.locked():
            use.release()
            if server.count_uses() == 0:
                server.stop()


class PostgresServer:
    """The server with its data in `instance`/postgres. `start`, `stop` and `count_uses` want `locked()` around them."""

    def __init__(self, instance: Path) -> None:
        self.data = instance.resolve() / "postgres"
        self.log = self.data / "log"
        self.pid_file = self.data / "postmaster.pid"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """PostgresFailed, also for what the operating system refuses to the body."""
        lock = FileLock(self.data.with_name("postgres.lock"), timeout=LOCK_PATIENCE_S)
        try:
            self.data.parent.mkdir(parents=True, exist_ok=True)
            with lock:
                yield
        except Timeout as error:
            raise PostgresFailed(f"another process has held {lock.lock_file} for {LOCK_PATIENCE_S:.0f} s") from error
        except OSError as error:
            raise PostgresFailed(f"{error.filename} cannot be used: {error.strerror}") from error

    def start(self) -> str:
        """The URL of the server, which is running already or is started. PostgresFailed.

        On Windows a server that is started again may listen on another port than before.
        """
        if sys.platform != "win32" and (unfit := sorted(set(str(self.data)) & SHELL_SIGNS)):
            raise PostgresFailed(
                f"the embedded PostgreSQL cannot work in a folder with {' or '.join(unfit)} in its path: {self.data}"
            )
        try:
            if not self._adopt():
                self._launch()
            self._ensure_database()
        except PostgresFailed as error:
            logger.warning("the embedded PostgreSQL did not start: %s", error.reason)
            self.set_aside()
            self._launch()
            self._ensure_database()
        return self._url(DATABASE)

    def stop(self) -> None:
        if self.is_listening() and not succeeds(self.data, "pg_ctl", "stop", "-m", "fast"):
            logger.warning("the embedded PostgreSQL does not stop by itself; it is ended")
            run(self.data, "pg_ctl", "stop", "-m", "immediate")
        if (sockets := self._socket_folder()) != self.data:
            shutil.rmtree(sockets, ignore_errors=True)

    def count_uses(self) -> int:
        """By all processes together. The files of dead processes are removed."""
        count = 0
        for path in self.data.parent.glob("postgres-*.lock"):
            lock = FileLock(path, timeout=0)
            try:
                lock.acquire()
            except Timeout:
                count += 1
            else:
                lock.release()
                path.unlink(missing_ok=True)
        return count

    def is_listening(self) -> bool:
        """Whether the server is there, ready or still recovering: something accepts connections where postmaster.pid
        says. The process id in there proves nothing, since it may be any program's when the server is gone."""
        try:
            port, sockets, address = self._status()
        except ValueError:  # no file, or it is just being written
            return False
        target: str | tuple[str, int] = f"{sockets}/.s.PGSQL.{port}" if sockets else (address, int(port))
        with socket.socket(socket.AF_UNIX if sys.platform != "win32" and sockets else socket.AF_INET) as probe:
            probe.settimeout(5)
            try:
                probe.connect(target)
            except (TimeoutError, BlockingIOError):  # it is there, and busy
                return True
            except (ConnectionError, FileNotFoundError):
                return False
        return True

    def url_if_running(self) -> str | None:
        """None, too, where another user runs it."""
        try:
            return self._url(DATABASE) if self.is_listening() else None
        except (PermissionError, ValueError):
            return None

    def _url(self, database: str) -> str:
        port, sockets, address = self._status()
        location = f"/{database}?host={quote(sockets)}&port={port}" if sockets else f"{address}:{port}/{database}"
        return f"postgresql+psycopg2://postgres@{location}"

    def _status(self) -> list[str]:
        """Port, folder of the socket, address (PostgreSQL's src/include/utils/pidfile.h)."""
        return _lines(self.pid_file)[3:6]

    def _adopt(self) -> bool:
        """Whether a server runs already, waiting for one that still recovers.

        Else the files with a dead server's process id are removed: PostgreSQL would take the id's next owner for it.
        """
        begin = time.monotonic()
        while self.pid_file.exists():
            waited_s = time.monotonic() - begin
            if self.is_listening() and succeeds(
                self.data, "pg_ctl", "status"
            ):  # a port may be another program's by now
                if "ready" in _lines(self.pid_file)[7:8]:
                    return True
                if waited_s > START_PATIENCE_S:
                    raise PostgresFailed(f"the embedded PostgreSQL is not ready after {START_PATIENCE_S} s")
            elif waited_s > LISTENING_PATIENCE_S:  # a server that starts writes the file before it listens
                break
            time.sleep(0.05)
        for leftover in (self.pid_file, *self._socket_folder().glob(".s.PGSQL.*.lock")):
            leftover.unlink(missing_ok=True)
        return False

    def _launch(self) -> None:
        if self._is_of_another_version():
            self.set_aside()
        self.data.mkdir(exist_ok=True, mode=0o700)
        options = [*self._connection_options(), *(word for setting in SETTINGS for word in ("-c", setting))]
        if not (self.data / "PG_VERSION").exists():
            run(self.data, "initdb", *INITDB)
        if self.log.exists() and self.log.stat().st_size > MOST_LOG_BYTES:
            self.log.replace(self.log.with_name("log.1"))
        start = ("pg_ctl", "start", "-t", str(START_PATIENCE_S), "-l", str(self.log), "-o", shlex.join(options))
        deadline = time.monotonic() + ORPHANS_PATIENCE_S
        while not succeeds(self.data, *start):
            reason = next((line for line in reversed(_lines(self.log)) if "FATAL" in line or "PANIC" in line), "")
            if ORPHANS not in reason or time.monotonic() > deadline:
                raise PostgresFailed(reason or f"{self.log} may tell why")
            time.sleep(0.2)

    def _is_of_another_version(self) -> bool:
        data_version = "".join(_lines(self.data / "PG_VERSION"))
        if not data_version:
            return False
        if is_other := data_version != (own_version := version()):
            logger.warning("PostgreSQL %s made the data in %s, and this is %s", data_version, self.data, own_version)
        return is_other

    def set_aside(self) -> None:
        """Stop the server and put its data aside. Replaces what was set aside before."""
        if self.is_listening():
            run(self.data, "pg_ctl", "stop", "-m", "immediate")
        broken = self.data.with_name("postgres.broken")
        shutil.rmtree(broken, ignore_errors=True)
        if self.data.exists():
            self.data.rename(broken)
            logger.warning("the data of the embedded PostgreSQL are set aside as %s; it starts with empty ones", broken)

    def _ensure_database(self) -> None:
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        try:
            with engine.connect() as connection:
                if DATABASE not in connection.scalars(sa.text("SELECT datname FROM pg_database")).all():
                    connection.execute(sa.text(f"CREATE DATABASE {DATABASE}"))
        except sa.exc.SQLAlchemyError as error:
            raise PostgresFailed(f"the embedded PostgreSQL does not answer: {error}".strip()) from error

    def _connection_options(self) -> list[str]:
        """A Unix socket, which needs neither a free port nor a password; on Windows a port of this computer only."""
        if sys.platform == "win32":
            return ["-h", "127.0.0.1", "-p", str(free_port(former_port(self.data)))]
        if os.geteuid() == 0 and self.data.stat().st_uid == 0:
            give_to_server_user(self.data)
        sockets, owner = self._socket_folder(), self.data.stat()
        if sockets != self.data:
            sockets.mkdir(exist_ok=True, mode=0o700)
            if sockets.is_symlink() or sockets.stat().st_uid not in (os.getuid(), owner.st_uid):  # /tmp is everybody's
                raise PostgresFailed(
                    f"{sockets} belongs to another user; remove it, or shorten the path of {self.data}"
                )
            os.chown(sockets, owner.st_uid, owner.st_gid)
        return ["-h", "", "-k", str(sockets)]

    def _socket_folder(self) -> Path:
        """The data folder itself where its path is fit for a socket, else one of this user's own in /tmp."""
        length = len(os.fsencode(self.data / ".s.PGSQL.5432"))
        if sys.platform == "win32" or (length <= SOCKET_PATH_LIMIT and "," not in str(self.data)):  # -k takes a list
            return self.data
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"printsys-{os.getuid()}-{name}"


def former_port(data: Path) -> int:
    """The port that the server with these data listened on last; 0 when that is not known."""
    options = " ".join(_lines(data / "postmaster.opts"))
    match = re.search(r'"-p" "(\d{1,5})"', options)
    return int(match[1]) if match else 0


def free_port(wanted: int) -> int:
    """`wanted`, so that nobody needs a new address of the server, or any other where a program has that one."""
    try:
        with socket.create_server(("127.0.0.1", wanted)) as free:
            return int(free.getsockname()[1])
    except (OSError, OverflowError):
        with socket.create_server(("127.0.0.1", 0)) as free:
            return int(free.getsockname()[1])


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8", "replace").splitlines()]
    except FileNotFoundError:
        return []
