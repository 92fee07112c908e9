"""The threads that write what arrives."""

from __future__ import annotations

import threading

from printsys.web.form_reader import Writers


def test_stopped_writers_do_what_their_last_work_gives_them() -> None:
    """A body that is closed while a piece of it is written is removed after that piece."""
    writers, is_begun, goes_on, done = Writers(), threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        is_begun.set()
        goes_on.wait(60)
        writers.submit(done.set)

    writers.submit(write)
    assert is_begun.wait(60)
    stopping = threading.Thread(target=writers.stop, args=(60,))
    stopping.start()
    stopping.join(0.2)  # until it waits for the writers
    goes_on.set()
    stopping.join(60)
    assert done.is_set()
