"""/metrics: what the system measures of itself, for Prometheus. Behind the token of a script, as /api/v1 is.

Gauges are read when Prometheus asks. Requests are counted as they come: one process serves all pages (waitress has
threads), so the library's own registry suffices.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from flask import Blueprint, Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from printsys.errors import MirrorDown
from printsys.ops.program_version import program_version
from printsys.web.auth import login_or_token_required
from printsys.web.health import states
from printsys.web.measures import Measures, measures
from printsys.web.services import services
from printsys.web.staff import attention
from printsys.web.staff.mail_state import MailState, mail_state

pages = Blueprint("metrics", __name__)
EXTENSION = "metrics"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RequestCounts:
    """Of one app: how many requests it answered, and how long that took."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.count = Counter("printsys_http_requests", "Requests answered.", ["method", "code"], registry=self.registry)
        self.duration = Histogram(
            "printsys_http_request_duration_seconds",
            "How long an answer took; of a stream of events, its beginning.",
            registry=self.registry,
            buckets=BUCKETS_S,
        )
        self.registry.register(SystemCollector())


class SystemCollector(Collector):
    """Only while a request is answered."""

    def collect(self) -> Iterable[Metric]:
        mail = mail_state()
        measured = measures(mail)
        yield InfoMetricFamily("printsys", "The program.", {"version": program_version()})
        yield from _of_the_lab(mail)
        yield from _of_the_parts(mail, measured)
        yield from _of_the_backups(measured)


@pages.get("/metrics")
@login_or_token_required
def show() -> ResponseReturnValue:
    """In the text format of Prometheus, or OpenMetrics where the request asks for it."""
    counts: RequestCounts = current_app.extensions[EXTENSION]
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(counts.registry), content_type=content_type)


def init(app: Flask) -> None:
    app.extensions[EXTENSION] = counts = RequestCounts()
    app.before_request(_note_start)

    def count(response: Response) -> Response:
        counts.count.labels(request.method if request.url_rule else "other", str(response.status_code)).inc()
        counts.duration.observe(time.perf_counter() - g.get("began", time.perf_counter()))
        return response

    app.after_request(count)


def _note_start() -> None:
    g.began = time.perf_counter()


def _of_the_lab(mail: MailState) -> Iterator[Metric]:
    """What is not known while the mirror is down is left out."""
    try:
        by_status, changes = services().queries.counts(), services().queries.changes()
    except MirrorDown:
        return
    jobs = {status.value: number for status, number in by_status.items()}
    yield _labeled("printsys_jobs", "Jobs by status.", "status", jobs)
    yield CounterMetricFamily("printsys_mirror_changes", "Changes written to the mirror.", value=changes)
    items = attention.count()
    if items is not None:
        yield GaugeMetricFamily("printsys_attention_items", "What needs a person.", value=items)
    if mail.owed is not None:
        yield GaugeMetricFamily("printsys_mails_owed", "E-mails that wait to be sent.", value=mail.owed)


def _of_the_parts(mail: MailState, measured: Measures) -> Iterator[Metric]:
    up = {name: float(state == "ok") for name, state in states(mail, measured).items()}
    yield _labeled("printsys_component_up", "1 while the component is as it should be.", "component", up)
    free = {disk.key: float(disk.free) for disk in measured.disks}
    yield _labeled("printsys_disk_free_bytes", "Free space on the disk of this folder.", "disk", free)
    if measured.queue is not None:
        yield GaugeMetricFamily("printsys_queue_tasks", "Tasks that wait for the worker.", value=measured.queue)
    yield from _moment("printsys_start_time_seconds", "When the pages were started.", measured.started_at)
    yield from _moment("printsys_last_sweep_timestamp_seconds", "When all folders were compared.", measured.swept_at)


def _of_the_backups(measured: Measures) -> Iterator[Metric]:
    if measured.backups is None:
        return
    good, rehearsal = measured.backups.last_good, measured.backups.good_rehearsal
    if good is not None and good.ended_at is not None:
        yield from _moment(
            "printsys_backup_last_success_timestamp_seconds", "Of the last good backup.", good.started_at
        )
        yield GaugeMetricFamily("printsys_backup_size_bytes", "All files of the last good backup.", value=good.bytes)
        yield GaugeMetricFamily("printsys_backup_jobs", "Jobs in the last good backup.", value=good.jobs)
        lasted_s = (good.ended_at - good.started_at).total_seconds()
        yield GaugeMetricFamily("printsys_backup_duration_seconds", "How long the last good one took.", value=lasted_s)
    if rehearsal is not None:
        name = "printsys_backup_rehearsal_last_success_timestamp_seconds"
        yield from _moment(name, "Of the last good restore on trial.", rehearsal.started_at)


def _moment(name: str, documentation: str, moment: datetime | None) -> Iterator[Metric]:
    if moment is not None:
        yield GaugeMetricFamily(name, documentation, value=moment.timestamp())


def _labeled(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
