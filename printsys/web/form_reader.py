"""Forms with files, read while they arrive: each file goes straight to where it stays.

The server's loop only hands the bytes over. Threads of their own parse, hash and write them, so a slow disk holds up
the senders whose files go there, and no page.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import IO, cast

from werkzeug.datastructures import FileStorage, ImmutableMultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from printsys.jobstore.arriving import ArrivingFile

WRITERS = 4
MOST_BACKLOG = 512 * 1024
"""Bytes of one sender that wait for the disk; after those nothing is read from it for a while."""
logger = logging.getLogger(__name__)
MOST_FIELD_BYTES = 1 << 20
"""Of all fields of a form: they lie in memory until its last byte comes, and a thousand senders may take their time."""
PIECE = 64 * 1024
Form = tuple[ImmutableMultiDict[str, str], ImmutableMultiDict[str, FileStorage]]


class Writers:
    """Threads that do what they are given, until `stop`."""

    def __init__(self) -> None:
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._run, daemon=True, name="uploads") for _ in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], None]) -> None:
        self._work.put(work)

    def stop(self, patience_s: float) -> None:
        """Do what is given already, and what that gives in its turn, as far as the disk lets it."""
        with self._work.all_tasks_done:
            self._work.all_tasks_done.wait_for(lambda: not self._work.unfinished_tasks, patience_s)
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(patience_s)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            finally:
                self._work.task_done()


class FormParser:
    """A multipart body in pieces of any size. ValueError where it is none, RequestEntityTooLarge."""

    def __init__(
        self, boundary: bytes, most_field_bytes: int, most_parts: int, new_file: Callable[[str], ArrivingFile]
    ) -> None:
        """`new_file(filename)`: where a file goes."""
        self._decoder = MultipartDecoder(boundary, most_field_bytes, max_parts=most_parts)
        self._most_field_bytes = most_field_bytes
        self._new_file = new_file
        self._part: Field | File | None = None
        self._value = bytearray()
        self._field_bytes = 0
        self._arriving: list[ArrivingFile] = []
        self._fields: list[tuple[str, str]] = []
        self._files: list[tuple[str, FileStorage]] = []

    def feed(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            self._decoder.receive_data(data[start : start + PIECE])
            self._take_events()

    def finish(self) -> Form:
        self._decoder.receive_data(None)
        self._take_events()
        return ImmutableMultiDict(self._fields), ImmutableMultiDict(self._files)

    def close(self) -> None:
        for file in self._arriving:
            file.close()

    def _take_events(self) -> None:
        while not isinstance(event := self._decoder.next_event(), NeedData | Epilogue):
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Field):
            self._part = event
            self._value.clear()
        elif isinstance(event, File):
            self._part = event
            self._arriving.append(self._new_file(event.filename))
        elif isinstance(event, Data) and isinstance(self._part, File):
            self._arriving[-1].write(event.data)
            if not event.more_data:
                self._end_file(self._part)
        elif isinstance(event, Data) and self._part is not None:
            self._value += event.data
            self._field_bytes += len(event.data)
            if len(self._value) > self._most_field_bytes or self._field_bytes > MOST_FIELD_BYTES:
                raise RequestEntityTooLarge
            if not event.more_data:
                charset = MultiPartParser().get_part_charset(self._part.headers)
                self._fields.append((self._part.name, self._value.decode(charset, "replace")))

    def _end_file(self, part: File) -> None:
        file = self._arriving[-1]
        file.end()
        stored = FileStorage(cast(IO[bytes], file), part.filename, part.name, headers=part.headers)
        self._files.append((part.name, stored))


class FormReader:
    """A request's body: waitress appends to it and closes it, as it does with its own buffers, and the page reads the
    form from it. `wake()` tells the server's loop that it may read from this sender again."""

    def __init__(self, parser: FormParser, writers: Writers, wake: Callable[[], None]) -> None:
        self._parser = parser
        self._writers = writers
        self._wake = wake
        self._changed = threading.Condition()
        self._pending = bytearray()
        self._is_busy = False
        self._is_closed = False
        self._length = 0
        self._failure: Exception | None = None

    # -- for the server -----------------------------------------------------------------------------------------------

    def append(self, data: bytes) -> None:
        with self._changed:
            self._length += len(data)
            self._pending += data
            self._give_work()

    def __len__(self) -> int:
        return self._length

    def is_backlogged(self) -> bool:
        return len(self._pending) > MOST_BACKLOG

    def getfile(self) -> FormReader:
        return self

    def close(self) -> None:
        """Whatever the page did not take is removed."""
        with self._changed:
            self._is_closed = True
            self._give_work()

    # -- for the page -------------------------------------------------------------------------------------------------

    def read(self, _size: int = -1) -> bytes:
        """Nothing: the body is a form."""
        return b""

    readline = read

    def form(self) -> Form:
        """Fields and files, once all of the body has come. A body that is no form has none; RequestEntityTooLarge."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_busy)
        try:
            if self._failure is not None:
                raise self._failure
            return self._parser.finish()
        except ValueError:  # as Werkzeug does
            return ImmutableMultiDict(), ImmutableMultiDict()

    # -- a writer's ---------------------------------------------------------------------------------------------------

    def _give_work(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._writers.submit(self._work)

    def _work(self) -> None:
        """One turn; the next comes after those of other senders."""
        with self._changed:
            data, was_backlogged = bytes(self._pending), self.is_backlogged()
            self._pending.clear()
            is_closed = self._is_closed
        if is_closed:
            self._parser.close()
        elif self._failure is None:
            try:
                self._parser.feed(data)
            except (ValueError, RequestEntityTooLarge) as error:
                self._failure = error
            except Exception:  # whatever a strange body does to the parser, the other senders get their turns
                logger.exception("a form met an error while it was read")
                self._failure = ValueError("not read")
        if was_backlogged:
            self._wake()
        with self._changed:
            self._is_busy = bool(self._pending)
            if self._is_busy or (self._is_closed and not is_closed):
                self._is_busy = True
                self._writers.submit(self._work)
            self._changed.notify_all()
