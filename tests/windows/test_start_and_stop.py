"""`manage.py run` on Windows from nothing to a second start: Ctrl-C, a killed system, and what is there afterwards."""

from __future__ import annotations

import psutil

from tests.running_system import PARTS, System, gone, system_of_its_own
from tests.visitor import Visitor
from tests.waiting import until

PASSWORD = "correct horse"
PATIENCE_S = 180


def jobs_on_pages(system: System) -> set[str]:
    staff = Visitor(system.url)
    staff.log_in(PASSWORD)
    return {job["id"] for job in staff.json("/api/v1/jobs?limit=500")["jobs"]}


def all_processes(system: System) -> list[psutil.Process]:
    server = system.server()
    return [system.supervisor(), *system.parts().values(), server, *server.children()]


def test_from_nothing_through_ctrl_c_and_a_kill_to_a_third_start() -> None:
    with system_of_its_own(STAFF_PASSWORD=PASSWORD) as system:
        system.start("--demo")
        assert (system.storage / ".printsys" / "storage-id").exists()
        until(lambda: len(jobs_on_pages(system)) >= 12, PATIENCE_S)
        until(lambda: system.parts().keys() == PARTS, PATIENCE_S)
        jobs, processes = jobs_on_pages(system), all_processes(system)
        assert system.stop() == 0
        assert system.output.endswith("Stopped.\n") and "Traceback" not in system.output
        assert [process for process in processes if not gone(process)] == []

        system.start()
        until(lambda: jobs_on_pages(system) == jobs, PATIENCE_S)
        until(lambda: system.parts().keys() == PARTS, PATIENCE_S)
        processes = all_processes(system)
        system.kill()
        until(lambda: all(gone(process) for process in processes), PATIENCE_S)

        system.start()
        assert "set aside" not in system.output, "PostgreSQL's files are as good as before"
        until(lambda: jobs_on_pages(system) == jobs, PATIENCE_S)


def test_a_killed_postgresql_is_started_again() -> None:
    with system_of_its_own(STAFF_PASSWORD=PASSWORD) as system:
        system.start()
        until(system.has_database, PATIENCE_S)
        server = system.server()
        server.kill()
        until(lambda: system.server_if_any() not in (None, server), PATIENCE_S)
        until(system.has_database, PATIENCE_S)
        assert jobs_on_pages(system) == set()
