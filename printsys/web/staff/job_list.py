"""Jobs as the dashboard shows them: from the mirror or, while that is down, straight from the active folders."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from indexer.job_filter import OLDEST_FIRST, JobFilter
from indexer.queries import JobRow
from indexer.report_queries import ReportQueries
from printsys.assessment.model_findings import MINOR, findings_of
from printsys.config import Lab
from printsys.domain.emails import held_back
from printsys.domain.job import FileRecord, Job
from printsys.domain.links import awaits_confirmation, confirmation_expired_at
from printsys.domain.naming import opens_everywhere
from printsys.domain.pending_work import preview_of
from printsys.domain.plates import open_plates, plates
from printsys.domain.status import LIVE, NAMES, Status, in_words
from printsys.domain.workflow import Step
from printsys.errors import MirrorDown, QueryTimeout
from printsys.jobstore import Stored
from printsys.models3d.findings import ModelFinding
from printsys.reports.figures import NOT_KEPT, cause_key, cause_words
from printsys.services import Services
from printsys.web.staff.action_views import next_step
from printsys.web.staff.folder_list import read_folders
from printsys.web.staff.list_query import ListQuery

PAGE = 50
LIMIT_S = 4.0
"""Of what a list asks of the reports: with each refresh, and with each page of a job that was opened from it."""
AGE_WORDS = ((24, "fresh"), (48, "waiting"), (72, "slow"))
"""Below so many hours; a job that is older is late."""
NOT_PORTABLE = "Windows cannot open a file of this name; please rename it to open it from here"


@dataclass(frozen=True)
class JobSummary:
    """A job at a glance. `hint` is what a person should know about its folder or record. With a `problem` in its record
    nothing can be done with it before a person has decided.

    Until `email_held_until` the e-mail of a dragged folder waits: so long dragging back, or *Undo*, undoes all.
    """

    job: Job
    hint: str | None
    email_held_until: datetime | None
    has_problem: bool

    @classmethod
    def from_row(cls, row: JobRow) -> JobSummary:
        return cls(row.job, _hint(row), _future(row.next_mail_at), row.problem is not None)

    @classmethod
    def from_folder(cls, stored: Stored) -> JobSummary:
        return cls(stored.job, _hint(stored), _future(held_back(stored.events)), stored.problem is not None)

    @property
    def next_step(self) -> Step | None:
        return next_step(self.job) if not self.has_problem else None

    @property
    def is_new(self) -> bool:
        return self.job.is_new

    @property
    def age_word(self) -> str:
        """How long the student has waited since the submission, as one word."""
        hours = (datetime.now(UTC) - self.job.created_at).total_seconds() / 3600
        return next((word for limit, word in AGE_WORDS if hours < limit), "late")

    @property
    def title(self) -> str:
        """What the student calls the model."""
        names = [record.uploaded_as or record.name.rpartition("/")[2] for record in self.job.sent_files]
        return next(iter(names), self.job.id)

    @property
    def waits_for_student(self) -> bool:
        return awaits_confirmation(self.job)

    @property
    def link_expired(self) -> datetime | None:
        """When the link expired on which the job still waits."""
        return confirmation_expired_at(self.job, datetime.now(UTC))

    @property
    def printed_so_far(self) -> str:
        """`2 of 3 printed`, where staff mark the plates one by one; else empty."""
        rest, pieces = open_plates(self.job), plates(self.job)
        return f"{len(pieces) - len(rest)} of {len(pieces)} printed" if rest else ""

    @property
    def print_files(self) -> list[FileRecord]:
        return [record for name in self.job.print_files if (record := self.job.file(name))]

    @property
    def picture(self) -> str | None:
        """Of the print file or, before there is one, of what the student sent; under previews/."""
        records = [*self.print_files, *self.job.sent_files]
        return next((name for record in records if (name := preview_of(record))), None)

    @property
    def slicer_file(self) -> str | None:
        """What staff open in a slicer: the print file or, before there is one, the working copy. None where no link can
        name it; the job's page says why."""
        if self.job.status not in LIVE:
            return None
        working = [record for record in self.job.current_files if record.role == "working"]
        name = next((record.name for record in (*self.print_files, *working)), None)
        return name if name is not None and opens_everywhere(name) else None

    def findings(self, lab: Lab) -> list[ModelFinding]:
        """What speaks against printing the student's models."""
        return [
            finding
            for record in self.job.sent_files
            for finding in findings_of(record, self.job, lab)
            if finding.grade != MINOR
        ]


def _hint(source: JobRow | Stored) -> str | None:
    if source.problem or source.move_pending:
        return in_words(str(source.problem or source.move_pending))
    return f"Somebody moved the folder to “{NAMES[source.asked_by_hand]}”." if source.asked_by_hand else None


def _future(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment > datetime.now(UTC) else None


@dataclass(frozen=True)
class JobList:
    """One page of the dashboard. `unreadable` says which folders cannot be read, and why."""

    summaries: list[JobSummary]
    query: ListQuery
    counts: dict[Status, int]
    total: int
    page: int = 1
    banners: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    pruned: int = 0
    """Jobs that the report counts besides: their folders are gone."""
    is_from_folders: bool = False

    @property
    def status(self) -> Status | None:
        return self.query.wanted.status

    @property
    def page_count(self) -> int:
        return max(1, math.ceil(self.total / PAGE))


def list_jobs(services: Services, query: ListQuery) -> JobList:
    """Without a status: all that match the words or that a report counts or, without either, the first live status in
    which something waits. QueryTimeout where a report leads here: the folders cannot tell what happened when."""
    try:
        query = looked_up(services, query)
        counts = services.queries.counts(query.wanted)
        if query.wanted.status is None and not query.wanted.q and not query.wanted.during:
            query = query.of(next((live for live in LIVE if counts[live]), Status.UPLOADED))
        status = query.wanted.status
        total = counts[status] if status is not None else sum(counts.values())
        page = max(1, min(query.page, math.ceil(total / PAGE)))
        rows = services.queries.listed(query.wanted, query.order, PAGE, (page - 1) * PAGE)
        summaries = [JobSummary.from_row(row) for row in rows]
        if not query.wanted.during:
            return JobList(summaries, query, counts, total, page)
        pruned = services.queries.count_pruned(_of_pruned(query))
        refusal = _reports(services).refusal()
        return JobList(summaries, query, counts, total, page, [refusal] if refusal else [], pruned=pruned)
    except MirrorDown as error:
        if isinstance(error, QueryTimeout) and query.wanted.during:
            raise
        return _list_folders(services, query)


def looked_up(services: Services, query: ListQuery) -> ListQuery:
    """The query with what no column of the mirror has: by which findings, which follow from lab.toml, too, which
    spellings of a cause and which changes of payment it asks. MirrorDown."""
    wanted, during = query.wanted, query.wanted.during
    if query.has_findings:
        summaries = (JobSummary.from_row(row) for row in services.queries.active(wanted))
        ids = frozenset(summary.job.id for summary in summaries if summary.findings(services.lab))
        wanted = replace(wanted, among=ids)
    if during is not None and query.cause is not None:
        failures = _reports(services).failures([during.start, during.end])
        reasons = {row.reason for row in failures if not row.is_pruned}
        key = cause_key(query.cause)
        causes = frozenset(reason for reason in reasons if cause_key(cause_words(reason)) == key)
        wanted = replace(wanted, during=replace(during, causes=causes))
    if during is not None and query.paid_by is not None:
        entries = _reports(services).money_entries(during.start, during.end)
        ids = frozenset(entry.job_id for entry in entries if entry.amount and (entry.method or "") == query.paid_by)
        wanted = replace(wanted, among=ids if wanted.among is None else wanted.among & ids)
    return replace(query, wanted=wanted)


def _reports(services: Services) -> ReportQueries:
    """A list has no pruned job, so it goes on where a log of them is damaged."""
    return ReportQueries(services.queries.engine, LIMIT_S, refuses=False)


def _of_pruned(query: ListQuery) -> JobFilter:
    """Nobody knows any more why their prints failed; only plates are under a cause of their own."""
    wanted, during = query.wanted, query.wanted.during
    if during is None or query.cause is None:
        return wanted
    is_not_kept = cause_key(query.cause) == cause_key(NOT_KEPT)
    causes: frozenset[str | None] = frozenset({""} if is_not_kept else {None} & (during.causes or set()))
    return replace(wanted, during=replace(during, causes=causes))


def _list_folders(services: Services, query: ListQuery) -> JobList:
    """The same from the folders, as far as a person can wait for it."""
    status, q = query.wanted.status, query.wanted.q
    counts = {each: sum(1 for _ in services.store.layout.job_folders((each,))) for each in Status}
    folders = read_folders(services.store, query.wanted)
    if status is not None and not query.narrows and not folders.left_out:  # without the copies
        counts[status] = len(folders.jobs) + len(folders.unreadable)
    order = query.order if status is not None or q or query.sort else OLDEST_FIRST
    summaries = [JobSummary.from_folder(stored) for stored in order.sorted(folders.jobs)]
    if query.has_findings:
        summaries = [summary for summary in summaries if summary.findings(services.lab)]
    page = max(1, min(query.page, math.ceil(len(summaries) / PAGE)))
    shown = summaries[(page - 1) * PAGE : page * PAGE]
    banners = folders.banners(q)
    return JobList(shown, query, counts, len(summaries), page, banners, folders.unreadable, is_from_folders=True)
