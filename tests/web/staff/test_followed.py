"""Staff and monitors hear that nobody follows the folders. (FAULTS R4)"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from printsys.ops import heartbeat
from printsys.ops.heartbeat import IndexerBeat, IndexerHeartbeat
from printsys.services import Services
from tests.web.conftest import json_of

NOT_FOLLOWED = "The folders are not followed at the moment"


def state(client: FlaskClient) -> str:
    return str(json_of(client.get("/healthz"))["components"]["indexer"])


def watching(client: FlaskClient) -> str:
    return str(json_of(client.get("/healthz"))["components"]["watching"])


def dashboard(staff: FlaskClient) -> str:
    return staff.get("/dashboard").get_data(as_text=True)


@pytest.mark.parametrize(("age_s", "health"), [(0, "ok"), (50, "ok"), (70, "down"), (86_400, "down")])
def test_the_indexer_is_alive_as_long_as_it_says_so(
    staff: FlaskClient, services: Services, age_s: int, health: str
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    heartbeat.write_indexer(services.settings, IndexerHeartbeat(at, 1))
    assert state(staff) == health
    assert (NOT_FOLLOWED in dashboard(staff)) == (health == "down")


def test_without_an_indexer_the_dashboard_says_so(staff: FlaskClient) -> None:
    assert state(staff) == "down"
    assert f"{NOT_FOLLOWED}: the indexer does not run." in dashboard(staff)


def test_an_indexer_that_meets_errors_says_which(staff: FlaskClient, services: Services) -> None:
    IndexerBeat(services.settings)("PermissionError: no", None)
    assert state(staff) == "failing"
    assert "the indexer met an error (PermissionError: no) and tries again" in dashboard(staff)


def test_an_indexer_that_must_poll_says_why(staff: FlaskClient, services: Services) -> None:
    """FAULTS R7."""
    assert watching(staff) == "down"
    beat = IndexerBeat(services.settings)
    beat(None, None)
    assert watching(staff) == "ok"
    beat(None, "Changes in the folders show up a few seconds late, because Linux watches no more folders.")
    assert (state(staff), watching(staff)) == ("ok", "polling")
    assert "because Linux watches no more folders." in dashboard(staff)
    assert NOT_FOLLOWED not in dashboard(staff)


@pytest.mark.parametrize("written", [b"", b"{", b'{"at": 5}', b"\xff\xfe"])
def test_a_sign_of_life_that_is_none_is_no_indexer(staff: FlaskClient, services: Services, written: bytes) -> None:
    heartbeat.indexer_path(services.settings).write_bytes(written)
    assert state(staff) == "down"
