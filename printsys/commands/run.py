"""Start the whole system: PostgreSQL, web, indexer and worker. One Ctrl-C stops it all."""

from __future__ import annotations

import argparse
import contextlib
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping

from filelock import FileLock, Timeout

from printsys.commands.common import add_storage_argument, port_number, settings_from
from printsys.config import DEFAULT_BASE_URL, ROOT, Settings, load_lab
from printsys.credentials import staff_password
from printsys.errors import PostgresFailed, PrintSysError
from printsys.jobstore.layout import Layout
from printsys.ops import logging_setup, postgres_keeper
from printsys.ops.postgres import embedded_postgres
from printsys.ops.shutdown import SUPERVISED
from printsys.ops.supervisor import SupervisedProcess, Supervisor

START_PATIENCE_S = 120
CANNOT_START = 2
"""manage.py's exit code for what a person has to put right: trying again would not help."""
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0: the whole network)")
    parser.add_argument("--port", type=port_number, default=5000)
    add_storage_argument(parser)
    parser.add_argument("--demo", action="store_true", help="fill an empty storage with a dozen lively jobs")


def run(args: argparse.Namespace) -> int:
    host = WILDCARDS.get(args.host, args.host)
    here = f"http://[{host}]:{args.port}" if ":" in host else f"http://{host}:{args.port}"
    settings = settings_from(args)
    load_lab(settings.lab_config)
    Layout(settings.storage)  # refuses a path too long for the names below it
    if settings.base_url == DEFAULT_BASE_URL:  # links in e-mails lead to where this serves
        os.environ["BASE_URL"] = here
    with _only_copy(settings):
        logging_setup.keep(settings.instance, "run")
        _require_free_port(args.host, args.port)
        _show_first_password(settings)
        stop = _stop_on_signals()
        with _database(settings) as environment:
            if args.demo:
                _fill_demo(environment)
            supervisor = Supervisor([*_parts(args), *_guard(settings, environment)], environment)
            watching = threading.Thread(target=supervisor.watch, args=(stop,), daemon=True)
            keeping = _database_keeper(settings, environment, supervisor, stop)
            try:
                supervisor.start()
                watching.start()
                keeping.start()
                if _wait_until_served(args, supervisor.part("web"), stop):
                    print(f"Ready: {here}/", flush=True)
                _wait(stop)
            finally:
                stop.set()
                if watching.is_alive():
                    watching.join()
                supervisor.stop()
                if keeping.is_alive():  # it may be waiting for a server that recovers
                    keeping.join()
    with contextlib.suppress(BrokenPipeError):
        print("Stopped.", flush=True)
    return 0


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the last: its terminal was closed
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop


def _parts(args: argparse.Namespace) -> list[SupervisedProcess]:
    return [
        SupervisedProcess("web", ["web", "--host", args.host, "--port", str(args.port)]),
        SupervisedProcess("index", ["index"]),
        SupervisedProcess("work", ["work"]),
    ]


def _guard(settings: Settings, environment: Mapping[str, str]) -> list[SupervisedProcess]:
    """Shares the embedded server, so that it is stopped even when this process was killed."""
    is_embedded = not settings.database_url and bool(environment.get("DATABASE_URL"))
    return [SupervisedProcess("postgres", ["postgres"])] if is_embedded else []


@contextlib.contextmanager
def _only_copy(settings: Settings) -> Iterator[None]:
    settings.instance.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.instance / "run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise PrintSysError(
            f"Another copy is running on {settings.instance} already. Stop that one first, "
            "or give this one a folder of its own with PRINTSYS_INSTANCE."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _require_free_port(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return
    except OSError as error:
        hint = f" Try --port {port + 1}." if error.errno == errno.EADDRINUSE else ""
        raise PrintSysError(f"Port {port} on {host} cannot be used: {_plainly(error)}.{hint}") from error


def _plainly(error: OSError) -> str:
    """Without what Python adds in brackets."""
    return str(error.strerror).partition(" (while")[0].lower()


def _show_first_password(settings: Settings) -> None:
    made = staff_password.make_if_missing(settings)
    if made is not None:
        print(f"\nThe staff password is: {made}\n", flush=True)
        print("It is shown only this once. `python manage.py set-password` chooses another.\n", flush=True)


@contextlib.contextmanager
def _database(settings: Settings) -> Iterator[dict[str, str]]:
    """The environment for the children. Without a database the lab goes on from the folders."""
    environment = dict(os.environ)
    if settings.staff_password_hash:  # the words themselves go no further
        environment |= {"STAFF_PASSWORD_HASH": settings.staff_password_hash, "STAFF_PASSWORD": ""}
    if settings.database_url:
        yield environment
        return
    with contextlib.ExitStack() as stack:
        try:
            environment["DATABASE_URL"] = stack.enter_context(embedded_postgres(settings.instance))
        except PostgresFailed as error:
            print(f"The database did not start; going on from the folders alone. ({error.reason})", file=sys.stderr)
        yield environment


def _database_keeper(
    settings: Settings, environment: dict[str, str], supervisor: Supervisor, stop: threading.Event
) -> threading.Thread:
    """The lab's own server is the lab's to keep."""

    def restart_parts(url: str) -> None:
        supervisor.start_anew(environment | {"DATABASE_URL": url})

    url = environment.get("DATABASE_URL")
    if settings.database_url or url is None:
        return threading.Thread(target=stop.wait, daemon=True)
    arguments = (settings.instance, stop, restart_parts, url)
    return threading.Thread(target=postgres_keeper.keep, args=arguments, daemon=True)


def _fill_demo(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "demo", "--only-if-empty"], env=environment, check=False
    )
    if done.returncode != 0:
        raise PrintSysError("The demo could not be filled in.")


def _wait_until_served(args: argparse.Namespace, web: SupervisedProcess, stop: threading.Event) -> bool:
    """Whether pages are served, at the latest after `START_PATIENCE_S`; False where it was stopped before."""
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if web.last_code == CANNOT_START:
            raise PrintSysError("The system cannot start like this; the message above says why.")
        connection = http.client.HTTPConnection(WILDCARDS.get(args.host, args.host), args.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return True
        except OSError:
            if stop.wait(0.05):
                return False
        finally:
            connection.close()
    raise PrintSysError(f"No page was served within {START_PATIENCE_S} s; the messages above say why.")


def _wait(stop: threading.Event) -> None:
    """Until Ctrl-C. On Windows a wait without a time limit would not notice it."""
    supervised = bool(os.environ.get(SUPERVISED))
    if supervised:

        def stop_with_stdin() -> None:
            sys.stdin.read()
            stop.set()

        threading.Thread(target=stop_with_stdin, daemon=True).start()
    while not stop.wait(0.5):
        pass
