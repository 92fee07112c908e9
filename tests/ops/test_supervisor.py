"""The supervisor with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from printsys.ops.shutdown import SUPERVISED
from printsys.ops.supervisor import STOP_PATIENCE_S, SupervisedProcess, Supervisor
from tests.waiting import until

WAITS_FOR_THE_PIPE = "import sys; sys.stdin.buffer.read()"


class Part(SupervisedProcess):
    """Ends as soon as it is asked to."""

    command = WAITS_FOR_THE_PIPE

    def start(self, environment: Mapping[str, str]) -> None:
        self.started_at = time.monotonic()
        command = [sys.executable, "-c", self.command]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**environment, SUPERVISED: "1"})


@contextmanager
def running(supervisor: Supervisor) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join()


def test_parts_that_are_asked_to_start_again_do_so_and_the_supervisor_goes_on() -> None:
    part = Part("web", [])
    supervisor = Supervisor([part], os.environ)
    with running(supervisor) as thread:
        until(lambda: part.process is not None)
        for _ in range(2):
            processes = {part.process, None}
            supervisor.restart_all(os.environ)
            until(partial(has_another, part, processes, thread))
            assert thread.is_alive()
        last = part.process
    assert last is not None and last.poll() == 0


def has_another(part: Part, processes: set[subprocess.Popen[bytes] | None], thread: threading.Thread) -> bool:
    return part.process not in processes or not thread.is_alive()


def test_a_part_that_somebody_asks_for_starts_again_and_the_others_go_on() -> None:
    wanted, other, requests = Part("index", []), Part("web", []), [["index"], ["index", "nonsense"]]
    supervisor = Supervisor([wanted, other], os.environ, lambda: requests.pop() if requests and is_up() else [])

    def is_up() -> bool:
        return wanted.process is not None and other.process is not None

    with running(supervisor) as thread:
        until(is_up)
        first, others = wanted.process, other.process
        until(lambda: not requests and wanted.process not in (first, None))
        assert thread.is_alive() and other.process is others
        assert (wanted.deaths, wanted.last_code) == (0, None), "that was no death"


class DeafPart(Part):
    """Hears nothing."""

    command = "import time; time.sleep(600)"


def test_a_part_that_hangs_is_killed_and_starts_again() -> None:
    part, requests = DeafPart("work", []), [["work"]]
    supervisor = Supervisor([part], os.environ, lambda: requests.pop() if requests and part.process else [])
    with running(supervisor):
        until(lambda: part.process is not None)
        first = part.process
        assert first is not None
        until(lambda: part.process not in (first, None), STOP_PATIENCE_S + 20)
        assert first.poll() is not None
