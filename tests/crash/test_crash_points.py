"""A process stopped at every file-system call of every kind of change, and of the repair behind it.

For each action the number of its calls under storage/ is counted once; then, for each of them, a child does the action
and is killed there. What it leaves on disk is repaired by another child, which is itself killed at each of *its* calls,
and then to the end. Always: the job is wholly before or wholly after, `check` finds nothing, repairing again changes no
byte. Equal states on disk are gone into once, and the repair is killed at the calls that can change the disk (`--proof`
goes into each state and kills at each call).
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from indexer.check import check_storage
from printsys.domain.status import Status
from printsys.errors import JobNotFound
from printsys.jobstore import JobStore
from printsys.jobstore.arriving import ArrivingFile, arrivals_in_staging
from printsys.jobstore.conversion import replace_working_copy
from printsys.jobstore.identity import recognise
from printsys.jobstore.recovery import recover_all
from tests.crash.ptracer import Fault, require_ptrace, run
from tests.factories import Clock, act, make_job, resubmit

Tree = dict[str, bytes]
LEAST_POINTS = 250
NEVER_REFUSED = {"flock", "close", "lseek"}
"""Calls that do not reach the disk."""


@pytest.fixture(autouse=True)
def _traceable() -> None:
    require_ptrace()


@pytest.fixture(autouse=True)
def _same_nonces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal histories must give equal bytes; the nonce of a confirmation link is random, and so is the name of the
    folder in which files arrive."""
    monkeypatch.setattr("printsys.actions.secrets.token_urlsafe", lambda size: "n" * size)
    monkeypatch.setattr("printsys.jobstore.arriving.secrets.token_hex", lambda size: "n" * 2 * size)


@dataclass(frozen=True)
class Scene:
    """A kind of change: the status that its job begins in (None: it is created) and what is done to it."""

    name: str
    status: Status | None


SCENES = (
    Scene("create", None),
    Scene("upload", None),
    Scene("approve", Status.UPLOADED),
    Scene("reject", Status.UPLOADED),
    Scene("revert", Status.PENDING),
    Scene("delete", Status.COMPLETED),
    Scene("notes", Status.PRINTING),
    Scene("resubmit", Status.REJECTED),
    Scene("convert", Status.UPLOADED),
)


class Stage:
    """A storage that can be put back to how it was, and opened as a new process would open it."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.root, self.memory, self.backup = folder / "storage", folder / "storage-id", folder / "backup"
        self.scene = scene
        store = self.open()
        store.layout.make()
        make_job(store, "Ada Byron")
        self.job_id = make_job(store, status=scene.status).id if scene.status else None
        self.keep()

    def open(self) -> JobStore:
        # The same clock and the same randomness each time: equal histories give equal bytes.
        return JobStore(
            self.root, recognise(self.root, self.memory), clock=Clock(), random_bits=random.Random(7).getrandbits
        )

    def keep(self) -> None:
        shutil.rmtree(self.backup, ignore_errors=True)
        shutil.copytree(self.root, self.backup)

    def put_back(self, backup: Path | None = None) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(backup or self.backup, self.root)

    def act(self) -> None:
        store = self.open()
        if self.scene.name == "upload":
            store._random_bits = random.Random(8).getrandbits
            with closing(ArrivingFile(arrivals_in_staging(store), 1 << 20)) as file:
                for piece in (b"solid a\n", b"endsolid a\n"):
                    file.write(piece)
                make_job(store, "Grace Hopper", files=[("part.stl", file)])
        elif self.job_id is None:
            store._random_bits = random.Random(8).getrandbits
            make_job(store, "Grace Hopper", files=[("part.stl", b"solid a\nendsolid a\n")])
        elif self.scene.name == "resubmit":
            resubmit(store, self.job_id, [("mended.stl", b"solid b\nendsolid b\n"), ("lid.stl", b"solid c\n")])
        elif self.scene.name == "convert":
            content = self.memory.with_name("converted.stl")
            content.write_bytes(b"solid d\nendsolid d\n")
            original, copy = store.load(self.job_id).job.files
            replace_working_copy(store, self.job_id, original, copy, content, "is a text STL in capital letters")
        else:
            act(store, self.job_id, self.scene.name)

    def repair(self) -> None:
        """What a start does, and what the next touch of the job does."""
        store = self.open()
        recover_all(store)
        for job_id in [job_id for job_id, _ in store.ids()]:
            try:
                store.load(job_id)
            except JobNotFound:
                continue

    def tree(self) -> Tree:
        """Names and bytes of all that counts: no locks, no notes that may be lost; of folders only the empty ones."""
        tree: Tree = {}
        for folder, folders, files in os.walk(self.root):
            relative = Path(folder).relative_to(self.root)
            if relative.parts[:2] in ((".printsys", "locks"), (".printsys", "looks"), (".printsys", "newest")):
                continue
            for name in files:
                tree[str(relative / name)] = (Path(folder) / name).read_bytes()
            if not folders and not files:
                tree[f"{relative}/"] = b""
        return tree

    def complaints(self) -> list[str]:
        return [finding.sentence for finding in check_storage(self.open())]


def digest(tree: Tree) -> str:
    summary = hashlib.sha256()
    for name, data in sorted(tree.items()):
        summary.update(f"{name}\0{len(data)}\0".encode() + data)
    return summary.hexdigest()


def points(
    stage: Stage, work: Callable[[], None], put_back: Callable[[], None], only_changes: bool = False
) -> Iterator[tuple[int, Tree]]:
    """Each call of `work`, and what a process killed just before it leaves behind.

    `only_changes`: only the calls that can change the disk; killed before any other, a process leaves the same.
    """
    put_back()
    calls = run(work, stage.root).calls
    for n, call in enumerate(calls, 1):
        if only_changes and not call.changes:
            continue
        put_back()
        outcome = run(work, stage.root, Fault(at=n))
        assert outcome.killed, outcome.error
        yield n, stage.tree()


LONG = {"convert": pytest.mark.proof}
"""It is staged as a resubmission is; what differs is a file that goes to aside/."""


@pytest.fixture(params=[pytest.param(scene, id=scene.name, marks=LONG.get(scene.name, ())) for scene in SCENES])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return Stage(tmp_path, request.param)


def test_killed_anywhere_a_change_is_wholly_before_or_wholly_after(
    stage: Stage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    thorough = request.config.getoption("--proof")
    before = stage.tree()
    stage.act()
    after = stage.tree()
    assert after != before
    assert stage.complaints() == []
    ends: set[str] = set()
    gone_into: set[str] = set()
    crashed = tmp_path / "crashed"
    for _, state in points(stage, stage.act, stage.put_back):
        if not thorough and digest(state) in gone_into:
            continue
        gone_into.add(digest(state))
        shutil.rmtree(crashed, ignore_errors=True)
        shutil.copytree(stage.root, crashed)
        ends.add(must_end_whole(stage, before, after))
        for _, halfway in points(stage, stage.repair, lambda: stage.put_back(crashed), only_changes=not thorough):
            if not thorough and digest(halfway) in gone_into:
                continue
            gone_into.add(digest(halfway))
            must_end_whole(stage, before, after)
    assert ends == {"before", "after"}


def must_end_whole(stage: Stage, before: Tree, after: Tree) -> str:
    """Repair to the end; the job is as it was or as it should be, nothing is wrong, and once more changes nothing."""
    stage.repair()
    repaired = stage.tree()
    assert repaired in (before, after), sorted(set(repaired.items()) ^ set(before.items()))
    assert stage.complaints() == []
    stage.repair()
    assert stage.tree() == repaired
    return "before" if repaired == before else "after"


def test_there_are_enough_points(tmp_path: Path) -> None:
    """Create, upload, approve and reject together are stopped at more than `LEAST_POINTS` calls."""
    total = 0
    for scene in SCENES[:4]:
        folder = tmp_path / scene.name
        folder.mkdir()
        stage = Stage(folder, scene)
        total += len(run(stage.act, stage.root).calls)
    assert total >= LEAST_POINTS


REFUSALS = (errno.ENOSPC, errno.EIO, errno.EACCES)


@pytest.mark.parametrize("code", REFUSALS, ids=lambda code: errno.errorcode[code])
def test_a_disk_that_refuses_any_one_call_loses_nothing(
    stage: Stage, code: int, request: pytest.FixtureRequest
) -> None:
    """Whatever call the disk refuses: the change is refused whole, or it happened whole once the disk is well again.

    Each call is refused by one of the three in turn; with `--proof` by all of them.
    """
    thorough = request.config.getoption("--proof")
    before = stage.tree()
    stage.act()
    after = stage.tree()
    stage.put_back()
    calls = run(stage.act, stage.root).calls
    refused = 0
    for n, call in enumerate(calls, 1):
        if call.name in NEVER_REFUSED or (not thorough and REFUSALS[n % len(REFUSALS)] != code):
            continue
        stage.put_back()
        outcome = run(stage.act, stage.root, Fault(at=n, errno=code))
        refused += outcome.error is not None
        if outcome.error is not None:
            assert "printsys.errors." in outcome.error.strip().splitlines()[-1], outcome.error
        must_end_whole(stage, before, after)
    assert refused > 0


@pytest.mark.parametrize("kept_bytes", [0, 1, 200])
def test_a_write_that_the_kernel_cuts_short_is_completed_or_cut_off(stage: Stage, kept_bytes: int) -> None:
    before = stage.tree()
    stage.act()
    after = stage.tree()
    stage.put_back()
    writes = [call for call in run(stage.act, stage.root).calls if call.name == "write"]
    for n in range(1, len(writes) + 1):
        stage.put_back()
        outcome = run(stage.act, stage.root, Fault(at=n, short=kept_bytes, among="write"))
        if outcome.error is not None:
            assert "printsys.errors." in outcome.error.strip().splitlines()[-1], outcome.error
        must_end_whole(stage, before, after)
