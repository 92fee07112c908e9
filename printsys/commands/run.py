"""Start the whole system: PostgreSQL, web, indexer and worker. One Ctrl-C stops it all."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from printsys.commands.common import add_storage_argument, is_running, only_process, port_number, read_settings
from printsys.config import DEFAULT_BASE_URL, ROOT, Settings, load_lab
from printsys.credentials import staff_password
from printsys.errors import PostgresFailed, PrintSysError
from printsys.jobstore.layout import Layout
from printsys.ops import desktop, logging_setup, postgres_keeper
from printsys.ops.port import require_free_port
from printsys.ops.postgres import embedded_postgres
from printsys.ops.restart_requests import RestartRequests
from printsys.ops.shutdown import stop_event
from printsys.ops.supervisor import SupervisedProcess, Supervisor

START_PATIENCE_S = 300
"""Of a slow PC that a virus scanner keeps busy, right after it was switched on."""
CANNOT_START = 2
"""manage.py's exit code for what a person has to put right: trying again would not help."""
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
Loop = Callable[[threading.Event], None]
"""Goes on until the event is set."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_serving_arguments(parser)
    parser.add_argument("--demo", action="store_true", help="fill an empty storage with a dozen lively jobs")
    parser.add_argument("--desktop", action="store_true", help="show the dashboard in the browser, as start.bat does")


def add_serving_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0: the whole network)")
    parser.add_argument("--port", type=port_number, default=5000)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    host = WILDCARDS.get(args.host, args.host)
    url = f"http://[{host}]:{args.port}" if ":" in host else f"http://{host}:{args.port}"
    settings = read_settings(args)
    load_lab(settings.lab_config)
    Layout(settings.storage)  # refuses a path too long for the names below it
    if args.desktop:
        desktop.make_clicks_harmless()
        # The pages of a killed `run` answer for another moment: they do not count.
        address = desktop.running_address(settings.instance) if is_running(settings) else None
        if address is not None:
            print(f"The system runs already, at {address}/", flush=True)
            desktop.show_pages(address)
            return 0
    refusal = (
        f"Another copy is running on {settings.instance} already. Stop that one first, "
        "or give this one a folder of its own with PRINTSYS_INSTANCE."
    )
    with only_process(settings, refusal):
        logging_setup.log_to_file(settings.instance, "run")
        may_move = settings.base_url == DEFAULT_BASE_URL and settings.mail is None
        require_free_port(args.host, args.port, may_move)
        is_first_start = show_first_password(settings)
        stop = stop_event()
        with _database_url(settings) as database_url:
            environment = _environment(settings, database_url, url)
            if args.demo:
                fill_demo(environment)
            requests = RestartRequests(settings.instance)
            requests.take()  # nobody waits any more for those of an earlier run
            supervisor = Supervisor(_parts(args), environment, requests.take)
            loops: list[Loop] = [supervisor.run]
            if not settings.database_url:
                loops.append(_guard_database(settings, database_url, supervisor))
            with _running(loops, stop):
                if is_served := _wait_until_served(host, args.port, supervisor.part("web"), stop):
                    print(f"Ready: {url}/", flush=True)
                with desktop.published_address(settings.instance, url):
                    if is_served and args.desktop:
                        _present(url, keep_window=is_first_start)
                    while not stop.wait(0.5):  # on Windows a wait without a time limit would not notice Ctrl-C
                        pass
    with contextlib.suppress(OSError):  # nobody reads that any more
        print("Stopped.", flush=True)
    return 0


def _present(url: str, keep_window: bool) -> None:
    """What this window is for, and the dashboard. The window goes out of the way, but for one with a new password."""
    print("\nClose this window to stop the system. You may minimize it.", flush=True)
    desktop.show_pages(url)
    if not keep_window:
        desktop.minimize_window()


def show_first_password(settings: Settings) -> bool:
    """Make the staff password where there is none yet, and print it. Whether that was so."""
    password = staff_password.make_if_missing(settings)
    if password is not None:
        print(f"\nThe staff password is: {password}\n", flush=True)
        print("It is shown only this once. `python manage.py set-password` chooses another.\n", flush=True)
    return password is not None


@contextlib.contextmanager
def _database_url(settings: Settings) -> Iterator[str | None]:
    """Of the lab's own server or the embedded one. Without a database the lab goes on from the folders."""
    with contextlib.ExitStack() as stack:
        url = settings.database_url
        if url is None:
            try:
                url = stack.enter_context(embedded_postgres(settings.instance))
            except PostgresFailed as error:
                print(f"The database did not start; going on from the folders alone. ({error.reason})", file=sys.stderr)
        yield url


def _environment(settings: Settings, database_url: str | None, url: str) -> dict[str, str]:
    """For the parts: this process's own, with what it has decided."""
    environment = os.environ | {"PRINTSYS_STORAGE": str(settings.storage)}
    if settings.base_url == DEFAULT_BASE_URL:  # links in e-mails lead to where this serves
        environment["BASE_URL"] = url
    if settings.staff_password_hash:  # the words themselves go no further
        environment |= {"STAFF_PASSWORD_HASH": settings.staff_password_hash, "STAFF_PASSWORD": ""}
    if database_url:
        environment["DATABASE_URL"] = database_url
    return environment


def fill_demo(environment: Mapping[str, str]) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "demo", "--only-if-empty"]
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        print("The demo could not be filled in; the system starts without it.", file=sys.stderr)


def _parts(args: argparse.Namespace) -> list[SupervisedProcess]:
    return [
        SupervisedProcess("web", ["web", "--host", args.host, "--port", str(args.port)]),
        SupervisedProcess("index", ["index"]),
        SupervisedProcess("work", ["work"]),
    ]


def _guard_database(settings: Settings, url: str | None, supervisor: Supervisor) -> Loop:
    """Restarts the embedded server when it dies, and tries again where it did not start (`url` is None then).

    A part uses it, too, and stops it when this process was killed.
    """
    guard = SupervisedProcess("postgres", ["postgres"])
    if url is not None:
        supervisor.parts.append(guard)

    def restart_parts(new_url: str) -> None:
        if guard not in supervisor.parts:
            supervisor.parts.append(guard)
        supervisor.restart_all({**supervisor.environment, "DATABASE_URL": new_url})

    return partial(postgres_keeper.keep, settings.instance, url, restart_parts)


@contextlib.contextmanager
def _running(loops: Sequence[Loop], stop: threading.Event) -> Iterator[None]:
    """Each loop in a thread, until the body ends; that sets `stop`."""
    threads = [threading.Thread(target=loop, args=(stop,), daemon=True) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _wait_until_served(host: str, port: int, web: SupervisedProcess, stop: threading.Event) -> bool:
    """Whether pages are served, at the latest after `START_PATIENCE_S`; False where it was stopped before."""
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if web.last_code == CANNOT_START:
            raise PrintSysError("The system cannot start like this; the message above says why.")
        connection = http.client.HTTPConnection(host, port, timeout=5)
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
