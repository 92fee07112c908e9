"""Looks at the models that students choose, without any page waiting for it.

A look costs up to 20 s of a processor, and the form is open to the world. So there is a bounded queue, two looks run
at once, each in a process with limits, and what nobody asks about any more is dropped. Whom the queue has no room for
submits without a look: the worker inspects every model that was submitted.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from printsys.assessment.upload_check import PATIENCE, UploadCheck, check_file
from printsys.jobstore.arriving import ArrivalFolder, ArrivingFile
from printsys.models3d import bounded
from printsys.models3d.fit import Box

REMEMBERED = 100
"""Checks of recent models: the form asks again when a student chooses another printer, and when it is sent."""
SCRATCH = "checking"
"""In instance/."""
AT_ONCE = 2
"""Checks in one process: a class that submits in the same minute must not take all of the computer's memory."""
MOST_WAITING = 40
MOST_WAITING_BYTES = 400 << 20
BUSY_S = 5.0
"""A look's time while others wait."""
UNWANTED_S = 15.0
"""The form asks every second; a browser that has not asked for so long has left."""
MOST_ANSWERS = 1000
MOST_CLIENTS = 1000
MOST_PAGES_WAITING = 6
"""Threads of the server that may wait a moment for a quick answer; all others tell the browser to ask again."""
LATER = UploadCheck(trouble="We have no time to look at it now.")
logger = logging.getLogger(__name__)
NamedHash = tuple[str, str]
"""The student's name for a file, and its sha256."""


@dataclass
class _Question:
    """A file that waits for its look, or that is looked at. `folder` holds it."""

    sha256: str
    name: str
    folder: Path
    size: int
    clients: set[str]
    asked_at: float
    wanted_at: float
    is_running: bool = False

    def is_wanted(self) -> bool:
        return bool(self.clients) and time.monotonic() - self.wanted_at < UNWANTED_S


class UploadChecker:
    """Checks models in processes of their own: few at a time, and each only once while it is remembered."""

    def __init__(self, scratch: Path, volumes: Sequence[Box] = ()) -> None:
        """`scratch`: a folder for the files, which stay as long as a check takes. `volumes`: of the lab's printers."""
        self._scratch, self._volumes = scratch, volumes
        self.arrivals = ArrivalFolder(scratch / f"arriving-{secrets.token_hex(4)}", self._scratch_made)
        """For files that are sent to be looked at, and for nothing else."""
        self._changed = threading.Condition()
        self._checks: OrderedDict[str, UploadCheck] = OrderedDict()
        self._questions: dict[str, _Question] = {}
        self._answers: OrderedDict[str, Sequence[NamedHash]] = OrderedDict()
        self._used_s: defaultdict[str, float] = defaultdict(float)
        self._threads: list[threading.Thread] = []
        self._pages = threading.BoundedSemaphore(MOST_PAGES_WAITING)
        self._stopped = False

    @contextmanager
    def _scratch_made(self) -> Iterator[None]:
        self._scratch.mkdir(parents=True, exist_ok=True)
        yield

    def stop(self) -> None:
        """End what runs; ask nothing after it."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    # -- what pages ask -----------------------------------------------------------------------------------------

    def remembered(self, sha256: str) -> UploadCheck | None:
        """The check of bytes that somebody sent a moment ago. It stays true of them for ever."""
        with self._changed:
            return self._checks.get(sha256)

    def ask(self, files: Sequence[tuple[str, ArrivingFile]], client: str) -> list[NamedHash]:
        """Have each file looked at. What `client` (an address, a space, a browser) asked about before, and nobody else
        did, is dropped.

        The files came in `arrivals`; those that have to wait for their look are taken over. A file for which there is
        no room, in the queue or on the disk, stays without a look.
        """
        hashes = [(name, file.sha256) for name, file in files]
        with self._changed:
            self._meet(client)
            for question in self._questions.values():
                question.clients.discard(client)
        for name, file in files:
            if not self._join(file.sha256, client):
                try:
                    self._enqueue(name, file, client)
                except OSError as error:
                    logger.warning("a model is not looked at before it is sent: %s", error.strerror)
        return hashes

    def result(self, sha256: str) -> UploadCheck | None:
        """None: it is still looked at. `LATER`: it is not, for want of room."""
        with self._changed:
            if (check := self._checks.get(sha256)) is not None:
                return check
            if (question := self._questions.get(sha256)) is not None:
                question.wanted_at = time.monotonic()
                return None
            return LATER

    def wait(self, files: Sequence[NamedHash], patience_s: float) -> None:
        """Until all have a result, at most `patience_s`; not at all where many pages wait already."""
        if not self._pages.acquire(blocking=False):
            return
        try:
            with self._changed:
                self._changed.wait_for(lambda: all(sha256 not in self._questions for _, sha256 in files), patience_s)
        finally:
            self._pages.release()

    def keep_answer(self, files: Sequence[NamedHash]) -> str:
        """An id by which the browser can ask for the results of `files`."""
        answer_id = secrets.token_urlsafe(12)
        with self._changed:
            self._answers[answer_id] = files
            while len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
        return answer_id

    def answer(self, answer_id: str) -> Sequence[NamedHash] | None:
        with self._changed:
            return self._answers.get(answer_id)

    # -- the queue ----------------------------------------------------------------------------------------------

    def _join(self, sha256: str, client: str) -> bool:
        """Whether these bytes are known, or waited for by somebody else already."""
        with self._changed:
            question = self._questions.get(sha256)
            if question is not None:
                question.clients.add(client)
                question.wanted_at = time.monotonic()
            return question is not None or sha256 in self._checks

    def _meet(self, client: str) -> None:
        """A new browser has used what those of its address have used on average: a flood of new ones gains nothing."""
        if client in self._used_s:
            return
        if len(self._used_s) > MOST_CLIENTS:
            self._used_s.clear()
        address = client.partition(" ")[0]
        used = [seconds for other, seconds in self._used_s.items() if other.partition(" ")[0] == address]
        self._used_s[client] = sum(used) / len(used) if used else 0.0

    def _enqueue(self, name: str, file: ArrivingFile, client: str) -> None:
        sha256 = file.sha256
        with self._changed:
            self._drop_unwanted()
            if len(self._waiting()) >= MOST_WAITING:
                self._give_way(client)
            waiting = self._waiting()
            has_room = sum(question.size for question in waiting) + file.size <= MOST_WAITING_BYTES
            if len(waiting) >= MOST_WAITING or not has_room or self._stopped:
                return
        file.require_whole()
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        now = time.monotonic()
        question = _Question(sha256, name, folder, file.size, {client}, now, now)
        try:
            file.move_to(_file_of(question), is_synced=False)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._changed:
            if sha256 in self._checks or sha256 in self._questions:  # somebody sent the same bytes meanwhile
                shutil.rmtree(folder, ignore_errors=True)
                if (other := self._questions.get(sha256)) is not None:
                    other.clients.add(client)
                return
            self._questions[sha256] = question
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if len(self._threads) < AT_ONCE:
                self._threads.append(threading.Thread(target=self._work, daemon=True, name="upload-check"))
                self._threads[-1].start()
            self._changed.notify_all()

    def _drop_unwanted(self) -> None:
        for question in [*self._questions.values()]:
            if not question.is_running and not question.is_wanted():
                self._drop(question)

    def _give_way(self, client: str) -> None:
        """In a full queue, the one with most files in it has the newest of them dropped for a client with fewer."""
        held = Counter(holder for question in self._waiting() for holder in question.clients)
        greediest, count = held.most_common(1)[0]
        own = [question for question in self._waiting() if question.clients == {greediest}]
        if own and count > held[client] + 1:
            self._drop(own[-1])

    def _drop(self, question: _Question) -> None:
        del self._questions[question.sha256]
        shutil.rmtree(question.folder, ignore_errors=True)

    def _waiting(self) -> list[_Question]:
        return [question for question in self._questions.values() if not question.is_running]

    def _next(self) -> _Question | None:
        """The client that has used least comes first: a dear model costs its sender, nobody else."""
        self._drop_unwanted()
        return min(self._waiting(), key=self._rank, default=None)

    def _rank(self, question: _Question) -> tuple[float, float]:
        return min(self._used_s[client] for client in question.clients), question.asked_at

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (question := self._next()) is None:
                    self._changed.wait()
                if self._stopped or question is None:
                    return
                question.is_running = True
                others_wait = any(not other.is_running for other in self._questions.values())
            began = time.monotonic()
            check = None
            try:
                check = self._look(question, min(PATIENCE.seconds, BUSY_S) if others_wait else PATIENCE.seconds)
            except Exception:  # whatever a strange model does to the libraries, the next one gets its look
                logger.exception("a look at a model met an error")
            with self._changed:
                for client in question.clients:
                    self._used_s[client] += time.monotonic() - began
                del self._questions[question.sha256]
                if check is not None:
                    self._remember(question.sha256, check)
                self._changed.notify_all()

    def _look(self, question: _Question, seconds: float) -> UploadCheck | None:
        """None where nobody wants to know any more, or where it cannot be done now, or not in the time that others left
        it: that says nothing about the model."""
        limits = bounded.Limits(seconds=seconds, megabytes=PATIENCE.megabytes)
        try:
            check = check_file(
                _file_of(question),
                question.name,
                limits,
                lambda: question.is_wanted() and not self._stopped,
                volumes=self._volumes,
            )
            is_finished = check.facts is not None or check.is_unprintable
            return check if is_finished or seconds >= PATIENCE.seconds else None
        except OSError as error:
            logger.warning("a model is not looked at before it is sent: %s", error.strerror)
        except bounded.Abandoned:
            logger.info("a model is not looked at any more: its browser has left")
        finally:
            shutil.rmtree(question.folder, ignore_errors=True)
        return None

    def _remember(self, sha256: str, check: UploadCheck) -> None:
        self._checks[sha256] = check
        self._checks.move_to_end(sha256)
        while len(self._checks) > REMEMBERED:
            self._checks.popitem(last=False)


def _file_of(question: _Question) -> Path:
    return question.folder / f"model{os.path.splitext(question.name)[1].lower()}"
