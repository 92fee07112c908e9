"""`manage.py run`, the whole system in processes of its own: it comes up, stays up, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import psutil
import pytest

from printsys import fs
from printsys.commands import run
from printsys.domain.status import Status
from printsys.jobstore import JobStore
from printsys.ops.restart_requests import request_restart
from tests.commands.fake_browser import FakeBrowser
from tests.factories import make_job
from tests.running_system import PARTS, System, gone, system_of_its_own
from tests.waiting import until

FIRST_OF_OURS = 16384
"""PostgreSQL gives lower numbers to tables of its own (FirstNormalObjectId)."""


@pytest.fixture
def system() -> Iterator[System]:
    with system_of_its_own() as system:
        yield system


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM] if os.name == "posix" else [signal.SIGINT])
def test_it_comes_up_and_one_signal_stops_all_of_it(system: System, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests were started with this signal ignored, and all that they start inherits it")
    system.start()
    assert system.serves()
    assert "The staff password is: " in system.output
    everything = [*system.parts().values(), system.server()]
    assert len(everything) == 5
    assert system.stop(number) == 0
    assert [process for process in everything if not gone(process)] == []
    assert "Traceback" not in system.output


def test_a_part_that_a_page_asks_for_starts_again(system: System) -> None:
    system.start()
    before = system.parts()
    request_restart(system.instance, "web")
    until(lambda: gone(before["web"]) and system.serves(), 60)
    after = system.parts()
    assert after["web"].pid != before["web"].pid
    assert {name: after[name].pid for name in ("index", "work")} == {
        name: before[name].pid for name in ("index", "work")
    }


def test_a_killed_supervisor_leaves_no_orphan(system: System) -> None:
    system.start()
    server = system.server()
    everything = [*system.parts().values(), server, *server.children()]
    assert system.process is not None
    system.supervisor().kill()  # and nobody asks for its exit code: a dead process need not be gone
    until(lambda: all(gone(process) for process in everything), 30)
    system.process.wait()
    system.start()
    assert system.serves()
    assert "set aside" not in system.output
    assert "The staff password is: " not in system.output


def test_a_server_started_again_is_stopped_too_when_the_supervisor_is_killed(system: System) -> None:
    system.start()
    first = system.server()
    first.kill()
    until(lambda: system.server_if_any() not in (None, first), 60)
    until(system.has_database, 60)
    everything = [*system.parts().values(), system.server()]
    system.kill()
    until(lambda: all(gone(process) for process in everything), 30)


@pytest.mark.skipif(os.name == "nt", reason="kills as only POSIX can")
def test_a_server_that_nobody_is_left_to_stop_is_adopted_by_the_next_start(system: System) -> None:
    system.start()
    server, parts = system.server(), system.parts()
    assert system.process is not None
    for process in (psutil.Process(system.process.pid), parts["postgres"]):
        process.suspend()  # neither sees the other end
    for process in (parts["postgres"], psutil.Process(system.process.pid)):
        process.kill()
    system.process.wait()
    until(lambda: all(gone(part) for part in parts.values()), 30)
    assert not gone(server)
    system.start()
    assert system.server().pid == server.pid
    system.end()
    assert gone(server)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_that_dies_is_started_again(system: System, part: str) -> None:
    system.start()
    first = system.parts()[part]
    first.kill()
    until(lambda: system.parts().get(part, first) != first, 30)
    until(system.serves, 60)
    assert f"{part} ended with code" in system.output


def test_a_killed_postgresql_is_started_again_and_the_mirror_is_back(system: System) -> None:
    system.start()
    until(system.has_database, 60)
    first, parts = system.server(), system.parts()
    first.kill()
    until(lambda: "does not run; it is started" in system.output, 30)
    until(lambda: system.server_if_any() not in (None, first), 60)
    until(system.has_database, 60)
    assert system.parts() == parts, "the others went on"
    assert "set aside" not in system.output, "the server's files are good: it is only its processes that were killed"
    system.end()
    assert "Traceback" not in system.output
    assert system.server_if_any() is None


def test_a_start_with_ruined_tables_serves_and_builds_them_again(system: System) -> None:
    # FAULTS R12
    system.start()
    until(system.has_database, 60)
    make_job(JobStore(system.storage, (system.storage / ".printsys" / "storage-id").read_text("utf-8").strip()))
    until(lambda: system.manage("check").returncode == 0)
    system.stop()
    tables = [path for path in (system.instance / "postgres").glob("base/*/*") if path.name.isdigit()]
    ours = [path for path in tables if int(path.name) >= FIRST_OF_OURS and path.stat().st_size]
    assert ours
    for path in ours:
        path.write_bytes(os.urandom(path.stat().st_size))
    system.start()
    until(system.has_database, 120)
    until(lambda: system.manage("check").returncode == 0)


@pytest.mark.skipif(os.name == "nt", reason="there the embedded server works in a folder of any name")
def test_without_a_database_the_indexer_goes_on_recording_what_happens_in_the_folders(system: System) -> None:
    """PostgreSQL refuses a data folder with a dollar sign in its path."""
    system.start(PRINTSYS_INSTANCE=str(system.root / "in$tance"))
    assert "The database did not start; going on from the folders alone" in system.output
    store = JobStore(system.storage, (system.storage / ".printsys" / "storage-id").read_text("utf-8").strip())
    job = make_job(store)
    fs.rename_folder(job.folder, system.storage / "Rejected" / job.folder.name)
    until(lambda: store.load(job.id).job.status is Status.REJECTED, 30)
    assert "index ended with code" not in system.output


def test_a_demo_that_cannot_be_filled_in_keeps_nothing_from_starting(capfd: pytest.CaptureFixture[str]) -> None:
    run.fill_demo(os.environ | {"LAB_CONFIG": "no-such-lab.toml"})
    assert "the system starts without it" in capfd.readouterr().err


def test_a_second_copy_is_refused(system: System) -> None:
    system.start()
    second = System(system.root)
    second.log = system.root / "second-log"
    assert "Another copy is running" in second.refused()
    assert system.serves()


def test_a_double_click_shows_the_dashboard_and_a_second_one_the_same_system(system: System) -> None:
    browser = FakeBrowser(system.root)
    system.start("--desktop", BROWSER=browser.variable)
    page = f"http://127.0.0.1:{system.port}/dashboard"
    until(lambda: browser.shown == [page])
    assert "Close this window to stop the system." in system.output
    second = System(system.root)
    second.log = system.root / "second-log"
    assert second.launch("--desktop", BROWSER=browser.variable).wait(60) == 0
    assert f"The system runs already, at http://127.0.0.1:{system.port}/" in second.output
    assert browser.shown == [page, page]
    system.end()
    assert not (system.instance / "address").exists()


def test_a_double_click_right_after_a_kill_starts_the_system_again(system: System) -> None:
    # FAULTS R13
    browser = FakeBrowser(system.root)
    system.start("--desktop", BROWSER=browser.variable)
    system.kill()
    system.start("--desktop", BROWSER=browser.variable)
    assert system.serves() and "runs already" not in system.output


def test_an_address_that_a_power_cut_left_behind_keeps_nothing_from_starting(system: System) -> None:
    browser = FakeBrowser(system.root)
    system.instance.mkdir()
    (system.instance / "address").write_text(f"http://127.0.0.1:{system.port}", "utf-8")
    system.start("--desktop", BROWSER=browser.variable)
    assert system.serves()


def test_a_port_in_use_is_told_in_a_sentence_with_who_has_it(system: System) -> None:
    with socket.create_server(("127.0.0.1", system.port)):
        output = system.refused()
        assert f"Port {system.port} on 127.0.0.1 cannot be used" in output
        assert f"(process {os.getpid()})" in output
        assert f"Try --port {system.port + 1}" in output


@pytest.mark.parametrize(
    "settings", [{"BASE_URL": "https://prints.example.edu"}, {"MAIL_SERVER": "localhost"}], ids=["base-url", "mail"]
)
def test_no_other_port_is_proposed_where_links_lead_to_this_one(system: System, settings: dict[str, str]) -> None:
    # FAULTS R13
    with socket.create_server(("127.0.0.1", system.port)):
        output = system.refused(**settings)
    assert "links lead to this port" in output and "--port" not in output


def test_a_start_right_after_a_kill_waits_for_the_last_web_process(system: System) -> None:
    # FAULTS R13
    system.start()
    web = system.parts()["web"]
    web.suspend()  # it has no time to notice
    system.kill()
    process = system.process = system.launch()
    until(lambda: f"port {system.port} waits for" in system.output)
    web.resume()
    until(lambda: "Ready: " in system.output or process.poll() is not None, 180)
    assert f"Ready: {system.url}/" in system.output, system.output


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SUBMIT_LIMIT", "many", "SUBMIT_LIMIT (environment)"),
        ("LAB_CONFIG", "no-such-lab.toml", "no-such-lab.toml cannot be read"),
        ("PRINTSYS_STORAGE", "/" + "long/" * 60, "is too long"),
    ],
)
def test_mistakes_in_the_configuration_are_told_before_anything_starts(
    system: System, variable: str, value: str, sentence: str
) -> None:
    output = system.refused(**{variable: value})
    assert sentence in output
    assert "password" not in output.lower()


def test_without_its_database_the_lab_goes_on(system: System) -> None:
    system.instance.mkdir()
    (system.instance / "postgres").write_text("a file is in the way", "utf-8")
    system.start()
    assert "The database did not start" in system.output
    assert system.serves()


def test_words_of_the_password_do_not_reach_the_parts(system: System) -> None:
    system.start(STAFF_PASSWORD="correct horse")
    environments = [part.environ() for part in system.parts().values()]
    assert [environment.get("STAFF_PASSWORD", "") for environment in environments] == [""] * len(PARTS)
    assert all(environment["STAFF_PASSWORD_HASH"].startswith("scrypt:") for environment in environments)
