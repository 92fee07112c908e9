"""Reads events.jsonl: what is whole and chained, what is a torn tail, and what somebody damaged."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from pydantic import ValidationError

from printsys.domain.events import Event, EventBatch, fold, sha256
from printsys.domain.job import Document
from printsys.errors import DamagedJob
from printsys.jobstore.jsontext import JsonProblem, decode_object

_BOM = b"\xef\xbb\xbf"
MOST_REMEMBERED = 1 << 16


@dataclass(frozen=True)
class Log:
    """The finished part of a log: `length` bytes of it; `tail` is what a crash left behind it."""

    events: tuple[Event, ...] = ()
    last_line: bytes | None = None
    length: int = 0
    tail: bytes = b""

    @property
    def seq(self) -> int:
        return self.events[-1].seq if self.events else 0

    @property
    def state(self) -> str | None:
        """sha256 of the metadata.json that the log leads to."""
        return self.events[-1].state if self.events else None

    @property
    def state_before(self) -> str | None:
        """The state before the last batch: a metadata.json with it is an unfinished write of ours."""
        states = [event.state for event in self.events if event.state is not None]
        return states[-2] if len(states) > 1 else None

    @property
    def last_batch_at(self) -> int:
        """The number of the first event of the last batch."""
        return max((event.seq for event in self.events[:-1] if event.state is not None), default=0) + 1

    def line_digest(self, seq: int) -> str | None:
        """sha256 of the line with that number, which the next line repeats; None without such a line."""
        if not 1 <= seq <= self.seq or self.last_line is None:
            return None
        return self.events[seq].prev if seq < self.seq else sha256(self.last_line)

    def document(self, up_to: int | None = None) -> Document:
        """What the log leads to, or led to at that event. A value like the events: nobody changes it."""
        if up_to is None or up_to >= self.seq:
            return self._document
        return fold(event for event in self.events if event.seq <= up_to)

    @cached_property
    def _document(self) -> Document:
        return fold(self.events)

    def with_batch(self, batch: EventBatch) -> Log:
        """The log after `batch` was appended to it."""
        last_line = batch.lines.rstrip(b"\n").rpartition(b"\n")[2]
        return Log(self.events + batch.events, last_line, self.length + len(batch.lines))


@dataclass
class _Reader:
    """The lines so far: `events` of finished batches, `pending` of one whose end has not come yet."""

    events: list[Event] = field(default_factory=list)
    pending: list[Event] = field(default_factory=list)
    last_line: bytes | None = None
    committed_line: bytes | None = None
    length: int = 0

    def take(self, raw: bytes, number: int) -> str | None:
        """Add a line, or return why it does not follow on the one before."""
        if not raw.endswith(b"\n"):
            return "it has no line end"
        line = raw.rstrip(b"\r\n").removeprefix(_BOM if number == 1 else b"")
        try:
            event = Event.model_validate(decode_object(line))
        except (JsonProblem, ValidationError):
            return "it cannot be read"
        if event.seq != number:
            return f"it has seq {event.seq}: a line is missing or doubled before it"
        if event.prev != (sha256(self.last_line) if self.last_line is not None else None):
            return "the line before it was changed"
        self.pending.append(event)
        self.last_line = line
        return None


def read_log(data: bytes, job_id: str) -> Log:
    """Parse and verify a whole log. A batch without its `state` was never finished and belongs to the tail.

    Raises DamagedJob, naming the line, where a line was edited, removed, doubled or added: a crash cannot do that, a
    person or a program can.
    """
    log, broken = _read(data)
    if broken is not None:
        number, problem = broken
        lines = data.splitlines(keepends=True)
        if not _is_torn_write(b"".join(lines[number - 1 :]), number):
            raise DamagedJob(job_id, "events.jsonl", f"line {number} breaks the record: {problem}.")
    return log


def _is_torn_write(rest: bytes, number: int) -> bool:
    """Whether the write of line `number` may have been interrupted: then it begins as ours do and has no line end, or
    the power failed and blocks of it are zeros. Blank lines, which editors leave, lose nothing either."""
    if not rest.strip():
        return True
    beginning, written = b'{"seq":%d,' % number, rest.rstrip(b"\0")
    if b"\n" not in written and (written.startswith(beginning) or beginning.startswith(written)):
        return True
    finished = any(line.endswith(b"\n") and b'"state":"' in line for line in rest.splitlines(keepends=True))
    return b"\0" in rest and not finished


def trusted(data: bytes) -> Log:
    """What of a damaged log can be trusted: its finished batches up to the first line that does not follow."""
    return _read(data)[0]


def _read(data: bytes) -> tuple[Log, tuple[int, str] | None]:
    return (_read_small if len(data) <= MOST_REMEMBERED else _read_lines)(data)


def _read_lines(data: bytes) -> tuple[Log, tuple[int, str] | None]:
    """The log as far as its lines follow on each other, and where and why they stop to."""
    reader = _Reader()
    position, broken = 0, None
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        problem = reader.take(line, number)
        if problem is not None:
            broken = number, problem
            break
        position += len(line)
        if reader.pending[-1].state is not None:
            reader.events += reader.pending
            reader.pending, reader.length, reader.committed_line = [], position, reader.last_line
    return Log(tuple(reader.events), reader.committed_line, reader.length, data[reader.length :]), broken


_read_small = lru_cache(maxsize=16)(_read_lines)
"""A change reads its job's log several times, before it has the lock and under it: the same bytes are parsed once."""
