"""/metrics says in Prometheus' own words what the system measures of itself, to scripts with a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.credentials import api_tokens
from printsys.domain.status import Status
from printsys.ops import heartbeat
from printsys.ops.backup_record import BackupRecord, BackupRun, RehearsalRun, under_way, write_record
from printsys.ops.heartbeat import Heartbeat, IndexerHeartbeat
from printsys.services import NO_DATABASE, Services
from printsys.web import create_app
from tests.factories import sync
from tests.web.conftest import MakeJob, json_of

Samples = dict[tuple[str, str], float]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
UNITS = ("_total", "_seconds", "_bytes", "_info", "_bucket", "_count", "_sum")
NO_UNIT = {"jobs", "component_up", "attention_items", "mails_owed", "queue_tasks", "backup_jobs"}


@pytest.fixture
def services(services: Services, tmp_path: Path) -> Services:
    """With a folder for backups."""
    return replace(services, settings=services.settings.model_copy(update={"backup": tmp_path / "backups"}))


@pytest.fixture
def scrape(client: FlaskClient, services: Services) -> Callable[..., Samples]:
    token = api_tokens.make(services.settings, "prometheus")

    def asked(accept: str = "", client: FlaskClient = client) -> Samples:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}", "Accept": accept})
        assert answer.status_code == 200
        parse = parse_openmetrics if accept else parse_text
        families = list(parse(answer.get_data(as_text=True)))
        assert all(family.documentation and family.type != "unknown" for family in families)
        return {
            (sample.name, ",".join(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    return asked


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_the_librarys_own_parser_reads_every_measure_of_a_system_at_work(
    scrape: Callable[..., Samples], services: Services, make: MakeJob, accept: str
) -> None:
    make(), make(), make(Status.PRINTING)
    sync(services.store, services.mirror)
    now, place = datetime.now(UTC), str(services.settings.backup)
    heartbeat.write(services.settings, Heartbeat(now, 1, queue=7))
    heartbeat.write_indexer(services.settings, IndexerHeartbeat(now, 2))
    made_at = now - timedelta(hours=2)
    good = BackupRun(made_at, place, made_at + timedelta(seconds=90), "a", 3, 12, 5000, is_verified=True)
    with under_way(services.settings):
        write_record(services.settings, BackupRecord(good, good, good_rehearsal=RehearsalRun(made_at, now, "a", 3)))
    scrape(accept)
    samples = scrape(accept)
    assert samples["printsys_jobs", "Uploaded"] == 2 and samples["printsys_jobs", "Printing"] == 1
    assert samples["printsys_jobs", "Archived"] == 0
    assert samples["printsys_queue_tasks", ""] == 7 and samples["printsys_mails_owed", ""] >= 2
    up = {name: value for (metric, name), value in samples.items() if metric == "printsys_component_up"}
    assert up == dict.fromkeys(["storage", "disk", "database", "worker", "indexer", "watching", "backup"], 1)
    assert samples["printsys_backup_last_success_timestamp_seconds", ""] == pytest.approx(made_at.timestamp())
    assert samples["printsys_backup_rehearsal_last_success_timestamp_seconds", ""] == pytest.approx(made_at.timestamp())
    assert samples["printsys_backup_duration_seconds", ""] == 90 and samples["printsys_backup_size_bytes", ""] == 5000
    assert samples["printsys_disk_free_bytes", "storage"] > 0 and samples["printsys_disk_free_bytes", "instance"] > 0
    assert made_at.timestamp() < samples["printsys_last_sweep_timestamp_seconds", ""] <= datetime.now(UTC).timestamp()
    assert samples["printsys_start_time_seconds", ""] < now.timestamp()
    assert samples["printsys_mirror_changes_total", ""] > 0
    assert samples["printsys_http_requests_total", "200,GET"] == 1, "the first scrape"
    assert samples["printsys_http_request_duration_seconds_count", ""] == 1
    names = {name.removeprefix("printsys_") for name, _ in samples if not name.endswith("_created")}
    assert {name for name in names if not name.endswith(UNITS)} - {"info"} == NO_UNIT
    assert all(name.startswith("printsys_") for name, _ in samples)


def test_what_is_not_known_is_left_out_and_what_is_down_is_zero(
    scrape: Callable[..., Samples], services: Services
) -> None:
    engine = create_engine(NO_DATABASE)
    dark = create_app(replace(services, mirror=Mirror(engine), queries=Queries(engine))).test_client()
    samples = scrape(client=dark)
    down = {name for (metric, name), value in samples.items() if metric == "printsys_component_up" and not value}
    assert down == {"database", "worker", "indexer", "watching", "backup"}
    assert not {name for name, _ in samples} & {"printsys_jobs", "printsys_queue_tasks", "printsys_mails_owed"}


def test_requests_are_counted_by_method_and_code_and_by_nothing_that_a_stranger_chooses(
    scrape: Callable[..., Samples], client: FlaskClient
) -> None:
    for path in ("/nowhere", "/nowhere/else?x=1", "/metrics"):
        client.get(path)
    client.open("/nowhere", method="BREW")
    samples = {labels: value for (name, labels), value in scrape().items() if name == "printsys_http_requests_total"}
    assert samples == {"404,other": 3, "401,GET": 1}


def test_without_a_token_it_says_nothing(client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": "Bearer guessed"}, {"Authorization": "Basic c3RhZmY6c3RhZmY="}):
        answer = client.get("/metrics", headers=headers)
        assert answer.status_code == 401 and b"printsys_jobs" not in answer.data


def test_the_health_has_figures_of_each_component_and_no_path(client: FlaskClient, services: Services) -> None:
    now = datetime.now(UTC)
    health = json_of(client.get("/healthz"))
    assert health["components"]["backup"] == "late" and health["backup"]["at"] is None
    assert (health["queue"], health["watching"]["mode"], health["sweep"]["at"]) == ({"tasks": None}, None, None)
    heartbeat.write(services.settings, Heartbeat(now, 1, queue=7))
    heartbeat.write_indexer(services.settings, IndexerHeartbeat(now, 2, watch_problem="No more watches."))
    sync(services.store, services.mirror)
    good = BackupRun(now - timedelta(hours=1), str(services.settings.backup), now, "a", 3, is_verified=True)
    with under_way(services.settings):
        write_record(services.settings, BackupRecord(good, good))
    answer = client.get("/healthz")
    health = json_of(answer)
    assert health["components"]["backup"] == "ok" and 3600 <= health["backup"]["age_s"] < 3900
    assert health["backup"]["is_verified"] is True and health["sweep"]["age_s"] < 300
    assert (health["queue"], health["watching"]) == ({"tasks": 7}, {"mode": "polling"})
    assert health["disks"]["storage"]["free_bytes"] > 0 and health["disks"]["storage"]["is_low"] is False
    failed = replace(good, error=f"The disk of {services.settings.backup} is full.")
    with under_way(services.settings):
        write_record(services.settings, BackupRecord(failed, good))
    answer = client.get("/healthz")
    assert (answer.status_code, json_of(answer)["components"]["backup"]) == (200, "failed"), "the lab goes on"
    body = answer.get_data(as_text=True)
    assert str(services.settings.instance.parent) not in body and "is full" not in body
