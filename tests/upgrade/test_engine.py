"""An upgrade step by step, with a small program: what fails and what somebody kills leaves all as it was."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from printsys.config import ROOT
from printsys.upgrade.folder import unpack
from printsys.upgrade.git import Checkout
from printsys.upgrade.state import Plan, UpgradeFailed, Workplace, migrations, pins

PYTHON = getattr(sys, "_base_executable", sys.executable)
"""As manage.py takes it. In a `.venv` on Windows python.exe starts another one, so a parent's parent would be it."""
AS_MANAGE_PY_HAS_IT = {"ENGINE": str(ROOT), "PYTHONIOENCODING": "utf-8:backslashreplace"}
with_git = pytest.mark.needs("git")
"""A lab's PC may have none: the program comes as a folder or a zip file then."""
FINDING = {"kind": "files-missing", "sentence": "A file is gone."}
AUTHOR = ("-c", "user.name=Lab", "-c", "user.email=lab@example.edu", "-c", "commit.gpgsign=false")


class Program:
    """In `root`, version 1; a newer one is ready to come."""

    def __init__(self, folder: Path, is_git: bool, **behavior: Any) -> None:
        self.root, self.newer = folder / "program", folder / "newer"
        write_version(self.newer, "1", {}, "tiny==1\n")
        if is_git:
            git(self.newer, "init", "--quiet", "--initial-branch=main")
            commit(self.newer)
            git(folder, "clone", "--quiet", str(self.newer), str(self.root))
        else:
            shutil.copytree(self.newer, self.root)
        (self.root / "lab.toml").write_bytes(b"mine = true\n")
        for name in ("instance", "storage", ".venv"):
            (self.root / name).mkdir()
        (self.root / "storage" / "job").touch()
        (self.root / ".venv" / "pins").write_text("tiny==1\n", "utf-8")
        (self.root / "instance" / "database").write_text("1", "utf-8")
        write_version(self.newer, "2", behavior, "tiny==2\n")
        (self.newer / "printsys" / "only_in_1.py").unlink()
        (self.newer / "indexer" / "migrations" / "versions" / "0002.py").touch()
        (self.newer / "added").mkdir()
        (self.newer / "added" / "file").touch()
        if is_git:
            commit(self.newer)
        self.is_git = is_git
        self.before = self.files()

    def plan(self, **options: Any) -> Plan:
        place = Workplace(self.root)
        place.folder.mkdir(exist_ok=True)
        if self.is_git:
            checkout = Checkout(self.root)
            shutil.copyfile(self.root / "lab.toml", place.lab_toml)
            plan = Plan(is_git=True, title="2", old=checkout.head(), new=checkout.newest(None))
        else:
            plan = Plan(is_git=False, title="2", names=unpack(self.newer, place))
        options = {"was_running": True, "accepts_findings": False} | options
        plan = plan.about(pins=pins(self.root), migrations=migrations(self.root), **options)
        place.write(plan)
        return plan

    def engine(self, order: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [PYTHON, "-m", "printsys.upgrade", str(self.root), order]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | AS_MANAGE_PY_HAS_IT | environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    def files(self) -> dict[str, bytes]:
        """All that counts, by its path."""
        paths = [path for path in self.root.rglob("*") if path.is_file()]
        names = {path.relative_to(self.root).as_posix(): path for path in paths}
        passing = (".git/", ".upgrade/", "instance/calls")
        return {name: path.read_bytes() for name, path in names.items() if not name.startswith(passing)}

    def calls(self) -> list[str]:
        return (self.root / "instance" / "calls").read_text("utf-8").splitlines()


def write_version(root: Path, version: str, behavior: dict[str, Any], requirements: str) -> None:
    for folder in ("printsys", "indexer/migrations/versions"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("small_program.py"), root / "manage.py")
    (root / "printsys" / "behavior.json").write_text(json.dumps({"version": version} | behavior), "utf-8")
    (root / "printsys" / "only_in_1.py").touch()
    (root / "indexer" / "migrations" / "versions" / "0001.py").touch()
    (root / "requirements.txt").write_bytes(requirements.encode())
    (root / "lab.toml").write_bytes(f"default_of = {version}\n".encode())


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *AUTHOR, "-C", str(folder), *arguments], check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a version")


both_kinds = pytest.mark.parametrize(
    "is_git", [pytest.param(True, id="git", marks=with_git), pytest.param(False, id="folder")]
)


def with_kinds(*steps: str) -> list[Any]:
    """Each step with git, and some of them with a folder: after the program came, the packages, and all."""
    both = {"1: check --json", "2: check --help", "2: db upgrade", "2: service start", "check --help", "service start"}
    pairs = [*((step, True) for step in steps), *((step, False) for step in steps if step in both)]
    always = {("2: db upgrade", True), ("reindex", True), ("2: check --help", False)}
    marks = {pair: () if pair in always else (pytest.mark.proof,) for pair in pairs}
    return [pytest.param(*pair, marks=(*marks[pair], with_git) if pair[1] else marks[pair]) for pair in pairs]


@contextlib.contextmanager
def served(status: int) -> Iterator[str]:
    """Its address, where /healthz answers with that."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(b"storage: offline")

        def log_message(self, format: str, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


ALL_STEPS = [
    "1: service stop", "1: check --json", "2: check --help", "2: db upgrade", "2: reindex", "2: check --json",
    "2: service start", "2: service status --json",
]  # fmt: skip


@both_kinds
def test_all_is_exchanged_but_what_is_the_lab_s_own(tmp_path: Path, is_git: bool) -> None:
    program = Program(tmp_path, is_git)
    program.plan()
    with served(200) as address:
        done = program.engine("go", FAKE_ADDRESS=address, http_proxy="http://127.0.0.1:1", no_proxy="")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "This is 2 now."), done.stderr
    files = program.files()
    assert program.calls() == ALL_STEPS
    assert {name: files.get(name) for name in ("lab.toml", "storage/job", "added/file", "printsys/only_in_1.py")} == {
        "lab.toml": b"mine = true\n", "storage/job": b"", "added/file": b"", "printsys/only_in_1.py": None,
    }  # fmt: skip
    assert (files[".venv/pins"], files["instance/database"]) == (b"tiny==2\n", b"2")
    assert sorted(os.listdir(program.root / ".upgrade")) == ["lock", "upgrade.log"]


@pytest.mark.parametrize(
    ("step", "is_git"), with_kinds("check --help", "check --json", "db upgrade", "reindex", "service start")
)
def test_where_a_step_fails_all_is_as_before(tmp_path: Path, is_git: bool, step: str) -> None:
    program = Program(tmp_path, is_git, fails_at=[step])
    program.plan()
    done = program.engine("go")
    assert done.returncode == 1
    assert done.stderr == (
        f"The upgrade to 2 did not work: `manage.py {step}` says: This does not work.\n"
        "Program, packages and database are as before.\n"
    )
    assert program.files() == program.before
    assert program.calls()[-1] == "1: service start"
    assert sorted(os.listdir(program.root / ".upgrade")) == ["lock", "upgrade.log"]


@pytest.mark.parametrize("command", ["check --json", "service status --json"])
def test_an_answer_that_nobody_understands_is_taken_back(tmp_path: Path, command: str) -> None:
    program = Program(tmp_path, is_git=False, garbles=[command])
    program.plan()
    done = program.engine("go")
    assert (done.returncode, program.files()) == (1, program.before)
    assert f"The answer of {command} cannot be understood: " in done.stderr
    assert program.calls()[-1] == "1: service start"


@pytest.mark.skipif(sys.platform == "win32", reason="there a signal ends a process at once")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_takes_the_upgrade_back(tmp_path: Path, name: str) -> None:
    program = Program(tmp_path, is_git=False)
    program.plan()
    done = program.engine("go", SIGNAL_AT="db upgrade", SIGNAL=str(int(getattr(signal, name))))
    assert (done.returncode, program.files()) == (1, program.before)
    assert done.stderr.startswith("The upgrade to 2 was stopped.\n")
    assert program.calls()[-3:] == ["1: db upgrade", "1: reindex", "1: service start"], "another one changes nothing"


def test_without_a_prepared_upgrade_there_is_nothing_to_carry_out(tmp_path: Path) -> None:
    done = Program(tmp_path, is_git=False).engine("go")
    assert (done.returncode, done.stderr) == (2, "No upgrade is prepared here. Nothing was changed.\n")


def test_a_system_that_is_not_well_after_the_start_is_taken_back(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=False)
    program.plan()
    with served(503) as address:
        done = program.engine("go", FAKE_ADDRESS=address)
    assert (done.returncode, program.files()) == (1, program.before)
    assert "/healthz says: storage: offline" in done.stderr
    program.plan()
    with served(1000) as address:
        done = program.engine("go", FAKE_ADDRESS=address)
    assert (done.returncode, program.files()) == (1, program.before)
    assert "The answer of /healthz cannot be understood: BadStatusLine" in done.stderr
    program.plan()
    done = program.engine("go")
    assert (done.returncode, program.files()) == (1, program.before)
    assert "It started, and does not answer." in done.stderr


def test_findings_that_were_there_before_do_not_count_and_new_ones_do(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=False, findings=[FINDING])
    plan = program.plan(was_running=False)
    done = program.engine("go")
    assert (done.returncode, program.files()) == (1, program.before)
    assert "`check` finds 1 more than before:\n  files-missing: A file is gone.\n" in done.stderr
    assert plan.accepts_findings is False
    program.plan(was_running=False, accepts_findings=True)
    assert program.engine("go").returncode == 0


@pytest.mark.parametrize(("step", "is_git"), with_kinds(*ALL_STEPS[:-2]))
def test_what_somebody_killed_is_taken_back_by_the_next_call(tmp_path: Path, is_git: bool, step: str) -> None:
    program = Program(tmp_path, is_git)
    program.plan()
    assert program.engine("go", KILL_AT=step[3:], KILL_IN=step[0]).returncode != 0
    assert (program.root / ".upgrade" / "state.json").exists()
    done = program.engine("recover-and-start")
    assert (done.returncode, program.files()) == (1, program.before)
    assert "An upgrade to 2 was interrupted" in done.stderr
    assert program.calls()[-1] == "1: service start"


@pytest.mark.parametrize("step", ["service start", "service status --json"])
def test_what_somebody_killed_when_it_could_already_run_stays(tmp_path: Path, step: str) -> None:
    """The new system may run, so nothing under it may change."""
    program = Program(tmp_path, is_git=False)
    program.plan()
    with served(200) as address:
        assert program.engine("go", KILL_AT=step, KILL_IN="2", FAKE_ADDRESS=address).returncode not in (0, 1)
    newer = program.files()
    done = program.engine("recover-and-start")
    assert (done.returncode, program.files(), program.calls()[-1]) == (0, newer, "2: service start"), done.stderr
    assert newer["instance/database"] == b"2"
    assert done.stderr == "An upgrade to 2 was interrupted (starting the system).\nThis is 2 now.\n"
    assert sorted(os.listdir(program.root / ".upgrade")) == ["lock", "upgrade.log"]


def test_any_command_leaves_a_system_that_could_already_run(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=False)
    program.plan()
    assert program.engine("go", KILL_AT="service start", KILL_IN="2").returncode not in (0, 1)
    newer, calls = program.files(), program.calls()
    done = program.engine("recover")
    assert (done.returncode, program.files(), program.calls()) == (0, newer, calls)
    assert done.stderr == (
        "An upgrade to 2 was interrupted (starting the system).\nThis is 2 now.\n"
        "The system ran before. Where it does not now: `python manage.py service start`\n"
    )


@pytest.mark.parametrize("step", ["db upgrade", "reindex", "service start"])
def test_what_somebody_killed_while_it_was_taken_back_is_taken_back(tmp_path: Path, step: str) -> None:
    program = Program(tmp_path, is_git=False, fails_at=["check --json"])
    program.plan()
    assert program.engine("go", KILL_AT=step, KILL_IN="1").returncode not in (0, 1)
    calls = len(program.calls())
    done = program.engine("recover")
    assert (done.returncode, program.files()) == (1, program.before)
    rest = ["1: db upgrade", "1: reindex"] if step != "service start" else []
    assert program.calls()[calls:] == rest, "whoever called this starts the system"
    assert "The system ran before. Where it does not now: `python manage.py service start`\n" in done.stderr
    assert "Program, packages and database are as before.\n" in done.stderr


@with_git
def test_what_a_killed_git_left_is_taken_away(tmp_path: Path) -> None:
    """It had written a migration, and neither its index nor where it is."""
    program = Program(tmp_path, is_git=True)
    plan = program.plan()
    written = Path("indexer", "migrations", "versions", "0002.py")
    shutil.copyfile(program.newer / written, program.root / written)
    for lock in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        (program.root / ".git" / lock).touch()
    Workplace(program.root).at(plan, "Exchanging the program")
    done = program.engine("recover")
    assert (done.returncode, program.files()) == (1, program.before), done.stderr


@with_git
def test_a_file_of_the_lab_s_own_where_the_newer_version_has_one_is_in_the_way(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=True)
    checkout = Checkout(program.root)
    old, new = checkout.head(), checkout.newest(None)
    assert checkout.in_the_way(old, new) == []
    (program.root / "indexer" / "migrations" / "versions" / "0002.py").touch()
    (program.root / "added").write_text("mine", "utf-8")
    assert checkout.in_the_way(old, new) == ["added", "indexer/migrations/versions/0002.py"]


@with_git
def test_a_staged_lab_toml_stays(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=True)
    git(program.root, "add", "lab.toml")
    plan = program.plan()
    Checkout(program.root).switch(plan, Workplace(program.root))
    assert (program.root / "lab.toml").read_text("utf-8") == "mine = true\n"
    assert Checkout(program.root).head() == plan.new


def test_one_upgrade_at_a_time(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=False)
    program.plan()
    with Workplace(program.root).only_one():
        done = program.engine("recover")
    assert (done.returncode, done.stderr) == (2, "Another upgrade is running here. Wait until it has ended.\n")
    assert program.files() == program.before


@with_git
def test_a_version_that_does_not_come_after_this_one_is_refused(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=True)
    git(program.root, "checkout", "--quiet", "--", "lab.toml")
    (program.root / "mine").touch()
    commit(program.root)
    checkout = Checkout(program.root)
    with pytest.raises(UpgradeFailed, match="does not come after"):
        checkout.require_forward(checkout.head(), checkout.newest(None))


@with_git
def test_a_branch_and_a_tag_are_found_and_others_are_refused(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=True)
    git(program.newer, "tag", "v2")
    checkout = Checkout(program.root)
    newest = Checkout(program.newer).head()
    assert [checkout.newest(name) for name in (None, "main", "v2")] == [newest, newest, newest]
    assert (checkout.name(newest), checkout.count(checkout.head(), newest)) == ("v2", 1)
    with pytest.raises(UpgradeFailed, match="no branch and no tag v3"):
        checkout.newest("v3")


def test_a_zip_file_from_the_web_is_a_program_and_another_one_is_not(tmp_path: Path) -> None:
    program = Program(tmp_path, is_git=False)
    shutil.copytree(program.newer, tmp_path / "zipped" / "lab-main")
    archive = Path(shutil.make_archive(str(tmp_path / "download"), "zip", tmp_path / "zipped"))
    place = Workplace(program.root)
    place.folder.mkdir()
    names = ["added", "indexer", "manage.py", "printsys", "requirements.txt"]
    assert unpack(archive, place) == unpack(program.newer, place) == names
    other = Path(shutil.make_archive(str(tmp_path / "other"), "zip", program.root / "storage"))
    for wrong in (other, program.root / "manage.py", program.root / "storage"):
        with pytest.raises(UpgradeFailed):
            unpack(wrong, place)


def test_a_zip_file_that_is_encrypted_unknown_or_broken_is_refused_in_words(tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manage.py", "print('a program')\n" * 50)
        start = archive.infolist()[0].header_offset
    content = whole.read_bytes()
    directory = content.index(b"PK\x01\x02")
    place = Workplace(tmp_path)
    place.folder.mkdir()
    # The flags and the method, in the entry's own header and in the directory's (APPNOTE 4.3.7, 4.3.12); its data.
    for offsets, value in (((start + 6, directory + 8), 1), ((start + 8, directory + 10), 77), ((start + 39,), 255)):
        damaged = bytearray(content)
        for offset in offsets:
            damaged[offset] = value
        (tmp_path / "damaged.zip").write_bytes(damaged)
        with pytest.raises(UpgradeFailed, match="cannot be read as a folder or a zip file: "):
            unpack(tmp_path / "damaged.zip", place)
