"""Which server under the pages: the present one beside others, with the same app, on this machine.

    python bench/servers.py [NAME …]        (inside .venv; default: all that are installed)

Eight browsers open the form, one page after the other, while nothing else happens; while 500 connections lie idle;
while 60 slow senders, too, bring a kilobyte a second each; and while six models of 20 MB arrive. Others than the
present one (`ours`) are installed by hand: `pip install cheroot granian`.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from flask import Flask  # noqa: E402

from bench.burst import percentile  # noqa: E402
from bench.crowd import IdleConnections  # noqa: E402
from bench.pages import open_services  # noqa: E402
from bench.plain_browser import Browser, Event, hidden, watched  # noqa: E402
from indexer import migrate  # noqa: E402
from printsys.ops.postgres import embedded_postgres  # noqa: E402
from printsys.web import create_app  # noqa: E402
from printsys.web.server import THREADS, PageServer, raise_file_limit  # noqa: E402
from tests.factories import FORM, STL  # noqa: E402
from tests.running_system import free_port  # noqa: E402
from tests.waiting import until  # noqa: E402

SECONDS, BROWSERS, IDLE, SLOW, MODELS = 6.0, 8, 500, 60, 6
PATIENCE_S = 10.0
MODEL = STL + b"\n" * 20_000_000


# -- the servers, each in a process of its own ------------------------------------------------------------------------


def make_app() -> Flask:
    return create_app(open_services(Path(os.environ["BENCH_FOLDER"]), os.environ["BENCH_DATABASE"]))


def serve_ours(port: int) -> None:
    PageServer(make_app(), "127.0.0.1", port, trusts_proxies=False).start()
    threading.Event().wait()


def serve_waitress(port: int) -> None:
    import waitress

    waitress.serve(make_app(), host="127.0.0.1", port=port, threads=THREADS)


def serve_cheroot(port: int) -> None:
    wsgi = import_module("cheroot.wsgi")
    wsgi.Server(("127.0.0.1", port), make_app(), numthreads=THREADS, request_queue_size=1024).start()


def serve_granian(port: int) -> None:
    granian = import_module("granian")
    interface = import_module("granian.constants").Interfaces.WSGI
    options = {"interface": interface, "blocking_threads": THREADS, "factory": True, "log_enabled": False}
    granian.Granian("bench.servers:make_app", address="127.0.0.1", port=port, **options).serve()


SERVERS: dict[str, Callable[[int], None]] = {
    "ours": serve_ours,
    "waitress": serve_waitress,
    "cheroot": serve_cheroot,
    "granian": serve_granian,
}


@contextmanager
def running(name: str) -> Iterator[tuple[int, psutil.Process]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, __file__, "--serve", name, str(port)])
    try:
        until(lambda: answers(port), 60)
        yield port, psutil.Process(process.pid)
    finally:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for member in family:
            member.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


# -- what they are asked ----------------------------------------------------------------------------------------------


def browse(port: int) -> list[Event]:
    """What `BROWSERS` browsers meet in `SECONDS`."""
    end = time.monotonic() + SECONDS
    browsers = [Browser(port, patience_s=PATIENCE_S) for _ in range(BROWSERS)]

    def go_on(browser: Browser) -> None:
        while time.monotonic() < end:
            browser.get("/submit")

    threads = [
        threading.Thread(target=watched, args=(each.events, "browser", lambda each=each: go_on(each)))
        for each in browsers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [event for browser in browsers for event in browser.events]


class SlowSenders(threading.Thread):
    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        head = b"POST /submit HTTP/1.1\r\nHost: lab\r\nContent-Length: 1000000\r\n"
        head += b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        head += b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.stl"\r\n\r\n'
        with ExitStack() as stack:
            connections = [
                stack.enter_context(socket.create_connection(("127.0.0.1", self._port))) for _ in range(SLOW)
            ]
            data = head
            while not self._stopped.wait(1.0):
                for connection in connections:
                    try:
                        connection.sendall(data)
                    except OSError:  # it was sent away
                        continue
                data = b"x" * 1000


def submit(port: int, events: list[Event]) -> None:
    browser = Browser(port, 1e9, events, patience_s=4 * PATIENCE_S)
    form = browser.get("/submit", "")
    fields = {name: str(value) for name, value in FORM.items()}
    fields |= {"csrf_token": hidden(form, "csrf_token"), "submission": hidden(form, "submission")}
    if browser.send_file("/submit", fields, "large.stl", MODEL, "submission").status != 303:
        events.append(Event("error", note="a submission was refused"))


def while_submitting(port: int) -> list[Event]:
    events: list[Event] = []
    threads = [
        threading.Thread(target=watched, args=(events, "sender", lambda: submit(port, events))) for _ in range(MODELS)
    ]
    for thread in threads:
        thread.start()
    pages = browse(port)
    for thread in threads:
        thread.join()
    return pages + events


def measure(name: str) -> None:
    with running(name) as (port, process):
        print(f"{name:10}", "alone:", line(browse(port)))
        idle, slow = IdleConnections(port, IDLE), SlowSenders(port)
        idle.start()
        time.sleep(2)
        print(f"{'':10} + {IDLE} idle:", line(browse(port)))
        slow.start()
        time.sleep(2)
        print(f"{'':10} + {SLOW} slow senders:", line(browse(port)))
        before = memory_mb(process)
        print(f"{'':10} + {MODELS} models:", line(while_submitting(port)))
        print(f"{'':10} memory {before:.0f} MB, after the models {memory_mb(process):.0f} MB", flush=True)
        idle.stop()
        slow.stop()


def memory_mb(process: psutil.Process) -> float:
    return sum(member.memory_full_info().uss for member in [process, *process.children(recursive=True)]) / 1e6


def line(events: Sequence[Event]) -> str:
    errors = [event for event in events if event.kind == "error"]
    pages = [event.seconds for event in events if event.kind == "page"]
    if not pages:
        return f"no page at all, {len(errors)} errors ({errors[0].note[:60] if errors else ''})"
    text = f"{len(pages) / SECONDS:.0f} pages/s, p50 {1000 * statistics.median(pages):.0f} ms, "
    text += f"p95 {1000 * percentile(pages, 0.95):.0f} ms, {len(errors)} errors"
    submissions = [event.seconds for event in events if event.kind == "submission"]
    return text + (f", submissions p50 {statistics.median(submissions):.1f} s" if submissions else "")


def main(names: Sequence[str]) -> None:
    raise_file_limit(2 * IDLE)
    with tempfile.TemporaryDirectory(prefix="bench-") as text:
        folder = Path(text)
        folder.chmod(0o755)
        with embedded_postgres(folder / "instance") as url:
            migrate.upgrade(url)
            os.environ |= {"BENCH_FOLDER": str(folder), "BENCH_DATABASE": url}
            for name in names or SERVERS:
                if name == "ours" or find_spec(name):
                    measure(name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*SERVERS, []])
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        SERVERS[arguments.serve[0]](int(arguments.serve[1]))
    else:
        main(arguments.names)
