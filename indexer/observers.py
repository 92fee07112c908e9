"""watchdog's observers, which also say what watchdog keeps to itself: that events were lost, that a folder could not be
watched, that a thread of theirs has ended."""

from __future__ import annotations

import errno
import sys
from typing import Any

from watchdog.observers.api import BaseObserver

EXHAUSTED = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What the system answers when this user watches too many folders, or has too many files open."""

if sys.platform == "linux":
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchCallback, WatchDescriptor
    from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

    # What happens in a status folder waits for so long after a rename in it whose other half has not come: watchdog
    # sleeps half a second, also when it comes at once. Halves of one rename follow on each other in the kernel's queue.
    InotifyMoveEventGrouper.delay = 0.05

    class _Inotify(InotifyFD):
        """watchdog passes over a folder inside a watched one that it could not watch, and only logs an overflow of the
        kernel's queue."""

        refusal: OSError | None = None
        has_overflowed = False

        def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
            try:
                return super().add_callback(path, mask, callback, id_)
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self.refusal = error
                raise

        def handle_event(self, event: InotifyEvent) -> None:
            self.has_overflowed |= event.is_queue_overflow
            super().handle_event(event)

    class Observer(BaseObserver):
        """`start` raises the OSError of a status folder that cannot be watched; `refusal` is that of one inside."""

        def __init__(self) -> None:
            self.inotify = _Inotify()
            self.inotify.start()
            super().__init__(InotifyEmitter, inotify_fd=self.inotify)

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self.inotify.stop()
            self.inotify.join()

        @property
        def refusal(self) -> OSError | None:
            return self.inotify.refusal

        def is_whole(self) -> bool:
            return _threads_live(self) and self.inotify.is_alive()

        def has_overflowed(self) -> bool:
            """Since the last call."""
            overflowed, self.inotify.has_overflowed = self.inotify.has_overflowed, False
            return overflowed

elif sys.platform == "win32":
    import ctypes

    from watchdog.observers.read_directory_changes import WindowsApiEmitter
    from watchdog.observers.winapi import DirectoryChangeReader

    BUFFER_BYTES = 256 * 1024
    """For about 800 changes at once in each status folder, four times watchdog's. A share allows 64 KiB only
    (ReadDirectoryChangesW, Remarks), but shares are polled."""

    class _Reader(DirectoryChangeReader):
        """Where more happens at once than the buffer holds, Windows reports success and no change at all."""

        has_overflowed = False

        def __init__(self, path: str, *, recursive: bool) -> None:
            super().__init__(path, recursive=recursive)
            self._buffer = ctypes.create_string_buffer(BUFFER_BYTES)

        def _run_inner(self, handle: Any, event_buffer: Any, nbytes: Any) -> None:
            nbytes.value = 1
            super()._run_inner(handle, self._buffer, nbytes)
            self.has_overflowed |= nbytes.value == 0

        def is_alive(self) -> bool:
            return self._reader_thread is not None and self._reader_thread.is_alive()

    class _Emitter(WindowsApiEmitter):
        def on_thread_start(self) -> None:
            with self._lock:
                self._reader = _Reader(self.watch.path, recursive=self.watch.is_recursive)
            self._reader.start()

        def is_reading(self) -> bool:
            """watchdog ends its reader after any error of Windows, among them the other answer to an overflow,
            ERROR_NOTIFY_ENUM_DIR."""
            reader = self._reader
            return reader is not None and reader.is_alive()

        def has_overflowed(self) -> bool:
            """Since the last call."""
            reader = self._reader
            if reader is None or not reader.has_overflowed:
                return False
            reader.has_overflowed = False
            return True

    class Observer(BaseObserver):
        refusal: OSError | None = None

        def __init__(self) -> None:
            super().__init__(_Emitter)

        def is_whole(self) -> bool:
            return _threads_live(self) and all(emitter.is_reading() for emitter in self.emitters)

        def has_overflowed(self) -> bool:
            """Since the last call."""
            return any(emitter.has_overflowed() for emitter in self.emitters)

else:
    from watchdog.observers import Observer as PlatformObserver

    class Observer(PlatformObserver):
        refusal: OSError | None = None

        def is_whole(self) -> bool:
            return _threads_live(self)

        def has_overflowed(self) -> bool:
            return False


def _threads_live(observer: BaseObserver) -> bool:
    """watchdog ends the thread of a folder that is deleted."""
    return observer.is_alive() and all(emitter.is_alive() for emitter in observer.emitters)
