"""Reads and writes files whole and synced, or not at all.

Nothing else in the program opens a file under storage/ for writing.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

WINDOWS = sys.platform == "win32"
SHARING_ERRORS = frozenset({5, 32, 33, 145})
"""WinError access denied, sharing violation, lock violation, folder not empty (a deleted file that a program still has
open keeps its name): what a virus scanner causes for a moment."""
SHARING_PATIENCE_S = 2.5
"""For work that must succeed: a scanner looks at one new file after another, each for up to half a second."""
BRIEF_PATIENCE_S = 0.25
"""For what may be finished later, while a person waits for a page."""
TEMPORARY_SUFFIX = ".printsys-tmp"

_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class NotAFile(OSError):
    """A folder, a pipe, a socket or a device lies where a file should."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(errno.EINVAL, "it is no ordinary file", str(path))


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading, and nothing else: NotAFile where reading could wait for ever, or makes no sense."""
    return os.fdopen(_open_regular(path), "rb")


def _open_regular(path: Path | str) -> int:
    """Without O_NONBLOCK the mere opening of a pipe waits until somebody writes to it.

    Windows refuses to open a file while another process replaces it: that is over in a moment.
    """
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = _open_patiently(path, flags | getattr(os, "O_NONBLOCK", 0), BRIEF_PATIENCE_S)
    except BlockingIOError:  # a file that a server has leased to a client: it gives it back while we wait
        if not os.path.isfile(path):
            raise NotAFile(path) from None
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise NotAFile(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(path)
    return descriptor


def open_beneath(folder: Path, segments: Sequence[str]) -> io.BufferedReader:
    """Open the file below `folder` for reading, as `open_regular` does.

    Neither `folder` nor anything below it may be a link, not even one that is put there at this very moment: ELOOP or
    ENOTDIR. Windows has no such call, so a caller looks again there.
    """
    if WINDOWS:
        return open_regular(folder.joinpath(*segments))
    as_folder = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    parent = os.open(folder, as_folder)
    try:
        for segment in segments[:-1]:
            inner = os.open(segment, as_folder, dir_fd=parent)
            os.close(parent)
            parent = inner
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(segments[-1], flags, dir_fd=parent)
        except BlockingIOError:  # a file that a server has leased to a client: it gives it back while we wait
            if not stat.S_ISREG(os.stat(segments[-1], dir_fd=parent, follow_symlinks=False).st_mode):
                raise NotAFile(folder.joinpath(*segments)) from None
            descriptor = os.open(segments[-1], flags & ~os.O_NONBLOCK, dir_fd=parent)
        file = os.fdopen(descriptor, "rb")
    finally:
        os.close(parent)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotAFile(folder.joinpath(*segments))
    return file


def read(path: Path | str) -> bytes:
    """The whole file, closed at once: an open handle would keep Windows from renaming the folder. NotAFile."""
    descriptor = _open_regular(path)
    try:
        chunks = []
        while chunk := os.read(descriptor, 1 << 20):
            chunks.append(chunk)
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def first_line(path: Path, most_bytes: int) -> bytes:
    """The file up to its first line end, or up to about `most_bytes`: a long file is not read for it. NotAFile."""
    descriptor = _open_regular(path)
    try:
        pieces, size = list[bytes](), 0
        while size <= most_bytes and (chunk := os.read(descriptor, 1 << 14)):
            head, line_end, _ = chunk.partition(b"\n")
            pieces.append(head + line_end)
            size += len(head)
            if line_end:
                break
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def read_if_there(path: Path) -> bytes | None:
    try:
        return read(path)
    except FileNotFoundError:
        return None


def forget_cached(path: Path) -> None:
    """Let the next read of a synced file come from the disk, and not from memory, where the system can be asked to."""
    if sys.platform == "linux":
        descriptor = _open_regular(path)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Make names in `path` durable. Windows has no such call and needs none for NTFS renames."""
    if WINDOWS:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write `data` or raise: near a full disk a write comes back short and only the next one says why."""
    view = memoryview(data)
    while view:
        written = os.write(descriptor, view)
        view = view[written:]


def open_new(path: Path, mode: int = 0o644) -> int:
    """A descriptor to write a file that must not be there yet (FileExistsError)."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write and sync a file that must not be there yet (FileExistsError). The caller syncs its folder."""
    descriptor = open_new(path, mode)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(
    path: Path,
    data: bytes,
    precondition: Callable[[], bool] = lambda: True,
    patience_s: float = SHARING_PATIENCE_S,
    mode: int = 0o644,
) -> bool:
    """Put `data` in the place of `path`: temporary beside it, sync, `os.replace`, sync of the folder.

    `precondition` runs at the last moment; where it returns False, nothing is replaced and so does this. The next
    call writes over a temporary that a crash left. `patience_s`: how long to wait, on Windows, for another program
    that has the file open.
    """
    temporary = path.with_name("." + path.name + TEMPORARY_SUFFIX)
    for is_last_attempt in (False, False, True):
        try:
            _write_temporary(temporary, data, mode, patience_s)
            if not precondition():
                unlink(temporary)
                return False
            rename_over(temporary, path, patience_s)
        except OSError as error:
            # Deleted by an earlier call, and open in a virus scanner until now: it goes with our new bytes.
            is_gone = isinstance(error, FileNotFoundError) and not os.path.lexists(temporary)
            if WINDOWS and is_gone and os.path.isdir(path.parent) and not is_last_attempt:
                continue
            with suppress(OSError):  # the caller learns the first error
                temporary.unlink(missing_ok=True)
            raise
        else:
            break
    sync_folder(path.parent)
    return True


def _write_temporary(path: Path, data: bytes, mode: int, patience_s: float) -> None:
    descriptor = _open_patiently(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, patience_s, mode)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_over(path: Path, data: bytes) -> None:
    """Write `data` over the beginning of the file, in one unsynced write: for notes that may be lost."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def append(path: Path, data: bytes, at: int) -> None:
    """Append `data` in one write at offset `at`, cutting off anything beyond it, and sync.

    If the disk refuses, this cuts off again what was written and raises the OSError: the file is as it was. It does
    not try a failed fsync again: the kernel marks the lost pages clean.
    """
    descriptor = _open_patiently(path, os.O_WRONLY | os.O_CREAT)
    try:
        try:
            if os.fstat(descriptor).st_size != at:
                os.ftruncate(descriptor, at)
            os.lseek(descriptor, at, os.SEEK_SET)
            _write_all(descriptor, data)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, at)
            raise
    finally:
        os.close(descriptor)


def _open_patiently(path: Path | str, flags: int, patience_s: float = SHARING_PATIENCE_S, mode: int = 0o644) -> int:
    descriptors: list[int] = []

    def attempt() -> None:
        try:
            descriptors.append(os.open(path, flags | getattr(os, "O_BINARY", 0), mode))
        except PermissionError as error:
            if WINDOWS and os.path.isdir(path):  # no waiting makes a file of it
                raise NotAFile(path) from error
            raise

    _patiently(attempt, patience_s)
    return descriptors[0]


def truncate(path: Path, length: int) -> None:
    descriptor = _open_patiently(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, length)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename_over(source: Path, target: Path, patience_s: float = SHARING_PATIENCE_S) -> None:
    """`os.replace`, where Windows lets it wait for other programs and lifts a read-only mark from the target."""

    def attempt() -> None:
        if WINDOWS:
            _make_writable(target)
        os.replace(source, target)

    _patiently(attempt, patience_s)


def unlink(path: Path, patience_s: float = SHARING_PATIENCE_S) -> None:
    """Delete a file, read-only or not; nothing happens where it is not there."""

    def attempt() -> None:
        if WINDOWS:
            _make_writable(path)
        path.unlink(missing_ok=True)

    _patiently(attempt, patience_s)


def _make_writable(path: Path) -> None:
    """Windows replaces and deletes no file that bears the read-only mark."""
    with suppress(FileNotFoundError):
        if not path.stat().st_mode & stat.S_IWRITE:
            path.chmod(stat.S_IREAD | stat.S_IWRITE)


def rename_folder(source: Path, target: Path, patience_s: float = SHARING_PATIENCE_S) -> None:
    """Rename without replacing: FileExistsError if anything has the target's name, an empty folder too.

    Plain `os.rename` would silently replace an empty folder (POSIX). `patience_s`: how long to wait, on Windows, for
    a program that has a file in the folder open.
    """
    if sys.platform == "linux" and _renameat2(source, target):
        return

    def attempt() -> None:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(source), None, str(target))
        os.rename(source, target)

    _patiently(attempt, patience_s)


def _renameat2(source: Path, target: Path) -> bool:
    """False where the file system does not know the flag (some network mounts)."""
    function = getattr(_libc(), "renameat2", None)
    if function is None:
        return False
    arguments = (_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE)
    if function(*arguments) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_SUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def move_folder(source: Path, target: Path, patience_s: float = SHARING_PATIENCE_S) -> None:
    """`rename_folder`, durable: both parents are synced."""
    rename_folder(source, target, patience_s)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def is_held(error: OSError) -> bool:
    """Whether another program that has the file open is the reason; only Windows refuses for that."""
    return WINDOWS and (getattr(error, "winerror", None) in SHARING_ERRORS or error.errno == errno.EACCES)


def _patiently(attempt: Callable[[], object], patience_s: float) -> None:
    """Call `attempt` again for `patience_s` where Windows says that another program has the file open."""
    deadline = time.monotonic() + patience_s
    pause = 0.01
    while True:
        try:
            attempt()
            return
        except OSError as error:
            if not is_held(error) or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def copy(source: Path, target: Path) -> None:
    """Copy a file's bytes and sync them; the target must not be there yet (FileExistsError)."""
    with open_regular(source) as reader, target.open("xb") as writer:
        if not (_clone(reader, writer) or _copy_in_the_system(reader, writer)):
            shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())


FICLONE = 0x40049409
"""ioctl of Linux, <linux/fs.h>: the files share their bytes until one of them is written to (Btrfs, XFS, bcachefs)."""
CANNOT = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY, errno.EPERM, errno.EBADF}
"""What a file system answers that does not copy by itself; anything else is a real trouble."""


def _clone(reader: BinaryIO, writer: BinaryIO) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(writer, FICLONE, reader.fileno())
    except OSError as error:
        if error.errno in CANNOT:
            return False
        raise
    return True


def _copy_in_the_system(reader: BinaryIO, writer: BinaryIO) -> bool:
    """copy_file_range(2): the bytes do not pass through this process. False: none was copied."""
    if sys.platform != "linux":
        return False
    copied = 0
    try:
        while count := os.copy_file_range(reader.fileno(), writer.fileno(), 1 << 30):
            copied += count
    except OSError as error:
        if copied or error.errno not in CANNOT:
            raise
        return False
    return copied == os.fstat(reader.fileno()).st_size  # some file systems of the kernel copy nothing, and say nothing


def remove_tree(path: Path, patience_s: float = SHARING_PATIENCE_S) -> None:
    """Delete a folder of ours (staging, expired trash), read-only files included."""
    if not WINDOWS:
        shutil.rmtree(path)
        return

    def lift_and_repeat(_action: Callable[..., object], name: str, _error: object) -> None:
        _make_writable(Path(name))
        (os.rmdir if os.path.isdir(name) else os.unlink)(name)

    def attempt() -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(path, onerror=lift_and_repeat)

    _patiently(attempt, patience_s)
