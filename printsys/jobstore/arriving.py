"""Files on their way in from a browser: written once, where they stay, and hashed as they come.

What a student sends lies in staging/ of the storage from its first byte on, so that the store makes an original of it
by one rename.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from filelock import FileLock

from printsys import fs
from printsys.errors import PrintSysError
from printsys.jobstore.layout import Layout
from printsys.jobstore.locks import staging_lock_name

LOCK_PATIENCE_S = 1.0
COPIED_AT_ONCE = 1 << 20


class ArrivalFolder:
    """A folder of one process that is there only while files arrive in it; `prepare` is entered for as long."""

    def __init__(self, folder: Path, prepare: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        self._folder = folder
        self._prepare = prepare
        self._prepared: AbstractContextManager[object] = nullcontext()
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._files = 0

    def add_file(self) -> Path:
        """A name for one more file. OSError, and what `prepare` raises."""
        with self._guard:
            if self._files == 0:
                prepared = self._prepare()
                prepared.__enter__()
                self._prepared = prepared
            self._files += 1
            try:
                self._folder.mkdir(exist_ok=True)
            except OSError:
                self._leave()
                raise
            return self._folder / str(next(self._numbers))

    def forget_file(self) -> None:
        """One of the files is no longer here."""
        with self._guard:
            self._leave()

    def _leave(self) -> None:
        self._files -= 1
        if self._files == 0:
            with suppress(OSError):  # what the disk refuses now, the next start removes
                self._folder.rmdir()
            with suppress(OSError):
                self._prepared.__exit__(None, None, None)


class Staging(Protocol):
    """The store, as far as what arrives needs it."""

    layout: Layout

    def require_online(self) -> None: ...


def arrivals_in_staging(store: Staging) -> ArrivalFolder:
    """Locked while anything is in it: whoever cleans up after a crash, on any computer, passes over it."""
    name = secrets.token_hex(4)

    @contextmanager
    def locked() -> Iterator[None]:
        store.require_online()
        store.layout.make()
        # Whoever cleans up looks at it for a moment.
        lock = FileLock(store.layout.lock(staging_lock_name(name)), timeout=LOCK_PATIENCE_S, thread_local=False)
        with lock:
            yield
            if not fs.WINDOWS:  # while it is held: who has opened it before sees that it is nobody's any more
                forget(Path(lock.lock_file))
        if fs.WINDOWS:  # which removes no file that is open, here or where somebody cleans up
            forget(Path(lock.lock_file))

    def forget(lock_file: Path) -> None:
        with suppress(OSError):  # a file that stays is taken again
            fs.unlink(lock_file, patience_s=0)

    return ArrivalFolder(store.layout.staging / f"{name}.arriving", locked)


class ArrivingFile:
    """Of `most_bytes` at most. What the disk refuses is kept as `error` for the end: its sender is in the middle of it.

    Reads like any file once it is whole, until `move_to` or `close`.
    """

    def __init__(self, folder: ArrivalFolder, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._path: Path | None = None
        """None until there is a byte to write: a form has empty files, too."""
        self._file: BinaryIO = io.BytesIO()
        self._digest = hashlib.sha256()
        self.size = 0
        """Bytes that came, whether they were kept or not."""
        self.error: OSError | PrintSysError | None = None

    @property
    def is_too_large(self) -> bool:
        return self.size > self._most_bytes

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        self.size += len(data)
        if self.is_too_large:
            self.close()
            return len(data)
        self._digest.update(data)
        if self.error is None:
            try:
                self._write(data)
            except (OSError, PrintSysError) as error:
                self.error = error
                self.close()
        return len(data)

    def _write(self, data: bytes) -> None:
        if self._path is None:
            path = self._folder.add_file()
            try:
                self._file = path.open("x+b")
            except OSError:
                self._folder.forget_file()
                raise
            self._path = path
        self._file.write(data)
        self._file.flush()

    def end(self) -> None:
        """Its last byte came. It stays closed until somebody reads it: a form may have many files, its sender time."""
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error
        if self._path is None:
            self._file = io.BytesIO()

    def _open(self) -> BinaryIO:
        if self._file.closed and self._path is not None:
            self._file = self._path.open("r+b")
        return self._file

    def copy_to(self, folder: ArrivalFolder) -> ArrivingFile:
        """The same bytes as a second file. OSError where this one cannot be read; see `error` for the second."""
        copy = ArrivingFile(folder, self._most_bytes)
        self.seek(0)
        while data := self.read(COPIED_AT_ONCE):
            copy.write(data)
        copy.end()
        return copy

    def require_whole(self) -> None:
        """What the disk refused while the file came, is raised."""
        if self.error is not None:
            raise self.error

    def move_to(self, target: Path, is_synced: bool = True) -> None:
        """Make it the file `target`, which must not be there yet (FileExistsError), on the same disk. It can be read
        there from now on. Raises what the disk refuses, and refused while the file came."""
        self.require_whole()
        if self._path is None:
            fs.write_new(target, b"")
            return
        if is_synced:
            os.fsync(self._open().fileno())
        self._file.close()
        fs.rename_folder(self._path, target)
        self._path = None
        self._folder.forget_file()

    def close(self) -> None:
        """Remove it, unless it has moved. May be called again."""
        with suppress(OSError):  # bytes that were not written yet are unwanted anyway
            self._file.close()
        self._file = io.BytesIO()
        if self._path is not None:
            with suppress(OSError):  # what the disk refuses now, the next start removes
                fs.unlink(self._path)
            self._path = None
            self._folder.forget_file()

    # -- as a file to read --------------------------------------------------------------------------------------------

    def read(self, size: int = -1, /) -> bytes:
        return self._open().read(size)

    def readline(self, size: int = -1, /) -> bytes:
        return self._open().readline(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._open().seek(offset, whence)

    def tell(self) -> int:
        return self._open().tell()

    def seekable(self) -> bool:
        return True
