"""What ends a process: a console window that closes, as Windows tells of it."""

from __future__ import annotations

import threading

import pytest

from printsys.ops.shutdown import CLOSING, console_handler
from tests.waiting import until

CTRL_C, CTRL_BREAK = 0, 1


@pytest.mark.parametrize("event", sorted(CLOSING))
def test_a_closing_window_ends_the_system_in_order_before_windows_ends_the_process(event: int) -> None:
    requests: list[bool] = []
    handling = threading.Thread(
        target=console_handler(requests.append, is_supervised=False), args=(event,), daemon=True
    )
    handling.start()
    until(lambda: requests == [False])
    assert handling.is_alive(), "a handler that returns lets Windows end the process at once"


def test_a_part_leaves_a_closing_window_to_its_supervisor() -> None:
    requests: list[bool] = []
    handling = threading.Thread(target=console_handler(requests.append, is_supervised=True), args=(2,), daemon=True)
    handling.start()
    handling.join(0.2)
    assert handling.is_alive() and requests == []


@pytest.mark.parametrize("event", [CTRL_C, CTRL_BREAK])
def test_ctrl_c_is_left_to_python(event: int) -> None:
    assert console_handler(lambda is_orphan: None, is_supervised=False)(event) is False
