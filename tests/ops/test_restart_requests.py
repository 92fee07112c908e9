"""Requests for a restart: each is taken once, and one that cannot be taken holds up no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from printsys.ops.restart_requests import FOLDER, RestartRequests, request_restart


def test_one_that_cannot_be_taken_holds_up_no_other_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    requests = RestartRequests(tmp_path)
    assert requests.take() == []
    request_restart(tmp_path, "web")
    (tmp_path / FOLDER / "a folder").mkdir()
    assert [requests.take() for _ in range(3)] == [["web"], [], []]
    assert caplog.text.count("cannot be taken") == 1
