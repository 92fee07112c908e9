"""What a job's own page shows: its buttons, its files, and its e-mails that wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from printsys.assessment.model_findings import findings_of, read_model_facts
from printsys.assessment.slicer_readings import read_slicer_facts, slicer_reading
from printsys.config import Lab
from printsys.domain.clutter import conflict_of
from printsys.domain.emails import mail_name, owed
from printsys.domain.events import EventType
from printsys.domain.filetypes import type_of
from printsys.domain.folder_moves import last_move
from printsys.domain.job import FileRecord, Job
from printsys.domain.naming import opens_everywhere
from printsys.domain.pending_work import preview_of
from printsys.domain.plates import Plate, plates
from printsys.domain.reminders import became_the_labs
from printsys.domain.request_fields import REQUEST_FIELDS
from printsys.domain.status import Status
from printsys.domain.workflow import Step
from printsys.jobstore import Stored
from printsys.jobstore.files import ListedFile, list_files, list_recorded, printable
from printsys.models3d.findings import ModelFinding
from printsys.models3d.inspect import ModelFacts
from printsys.ops import heartbeat
from printsys.services import Services
from printsys.texts import amount, reasons
from printsys.web.filters import due_date, exact
from printsys.web.staff.action_views import ACTION_VIEWS, form_for, offered_steps
from printsys.web.staff.forms import PLATE_STATES, ActionForm
from printsys.web.staff.history import history
from printsys.web.staff.job_list import NOT_PORTABLE, JobSummary
from printsys.web.staff.printed_before import printed_before

MOST_MESSAGES = 5
"""Of a student's later messages at the top of the page; all are in the history."""


@dataclass(frozen=True)
class Button:
    """`form` None: the click is enough. `kind` is Bootstrap's name for its looks; `submit_label` is what the button of
    its form says."""

    step: Step
    place: str
    label: str
    submit_label: str
    kind: str
    form: ActionForm | None

    @property
    def action(self) -> str:
        return self.step.action


@dataclass(frozen=True)
class FileLine:
    """A file of the job. `title` is the name that people know it by, `about` a line about it."""

    name: str
    title: str
    size: int
    about: str
    sha256: str | None
    exists: bool = True
    picture: str | None = None
    """Under previews/."""
    facts: ModelFacts | None = None
    findings: tuple[ModelFinding, ...] = ()
    trouble: str | None = None
    """Why a model could not be inspected."""
    sliced: tuple[str, ...] = ()
    can_view: bool = False
    can_open: bool = False
    """In a slicer. What the student sent is for looking: what a slicer saves beside it, nobody would find."""


def job_page(services: Services, stored: Stored) -> dict[str, Any]:
    summary = JobSummary.from_folder(stored)
    beat = heartbeat.read(services.settings)
    next_action = summary.next_step.action if summary.next_step else None
    steps = offered_steps(stored) if not summary.has_problem else []
    buttons = [_button(step, stored, services, next_action) for step in steps]
    filled = [button for button in buttons if button.kind == "primary"]
    lines, count = files_of(stored)
    return {
        "summary": summary,
        "stored": stored,
        "job": stored.job,
        "main": filled + [button for button in buttons if button.place == "main" and button not in filled],
        "more": [button for button in buttons if button.place == "more" and button not in filled],
        "plates": _shown_plates(stored.job),
        "plate_states": PLATE_STATES,
        "written_later": [event for event in stored.events if event.type == EventType.STUDENT_WROTE][-MOST_MESSAGES:],
        "history": history(stored.events),
        "became_the_labs": became_the_labs(stored.events) if stored.job.status is Status.COMPLETED else None,
        "moved_by_hand": last_move(stored.events),
        "waiting_mails": [(mail_name(mail.mail), mail) for mail in owed(stored.events, stored.id)],
        "held_up": beat.mail_problem(stored.id) if beat else None,
        "given_up": beat.file_problem(stored.id) if beat else None,
        "reasons": reasons(stored.job, services.lab),
        "request_facts": request_facts(stored.job, services.lab),
        "storage_root": str(services.settings.storage),
        "relative_path": services.store.layout.relative(stored.folder),
        "files": [_with_inspection(line, stored, services) for line in lines],
        "earlier_prints": printed_before(services, stored.job),
        "not_shown": max(0, count - MOST_SHOWN),
    }


def _shown_plates(job: Job) -> list[Plate]:
    """While it prints, and of a print that failed: what of it is there already."""
    pieces = plates(job) if job.status in (Status.PRINTING, Status.READY_TO_PRINT) else []
    return pieces if job.status is Status.PRINTING or any(plate.state for plate in pieces) else []


def request_facts(job: Job, lab: Lab) -> list[tuple[str, Any]]:
    """What the student asked for, each with its label: how to print it, then who asked."""
    words = {
        "printer": _printer_words(job, lab),
        "due_date": due_date(job.request.due_date),
        "minimum_charge_consent": "agreed" if job.request.minimum_charge_consent else None,
        "own_material": "the student brings it" if job.request.own_material else None,
    }
    fields = sorted(REQUEST_FIELDS, key=lambda field: field.section == "student")
    return [(field.label, words.get(field.name, field.value(job))) for field in fields if field.label]


def _printer_words(job: Job, lab: Lab) -> str | None:
    request = job.request
    if request.actual_printer != request.printer:
        asked_for = lab.printer_name(request.printer) or "none"
        return f"{lab.printer_name(request.actual_printer)} (asked for: {asked_for})"
    printer = lab.printer(request.printer)
    return f"{printer.name}, {printer.volume_text}" if printer else request.printer


def _button(step: Step, stored: Stored, services: Services, next_action: str | None) -> Button:
    view = ACTION_VIEWS[step.action]
    is_filled = step.action == next_action and view.style == "normal"
    kind = "primary" if is_filled else "outline-danger" if view.style == "danger" else "outline-secondary"
    form = form_for(step.action, stored, services.lab) if view.form else None
    return Button(
        step, view.place, view.button_label(step, stored.job), view.submit_label(step, stored.job), kind, form
    )


MOST_SHOWN = 200


def files_of(stored: Stored) -> tuple[list[FileLine], int]:
    """The files in the folder, slicer output first; what the student sent; what the record has and the folder lacks.

    And how many files there are in the folder, of which at most `MOST_SHOWN` have a line.
    """
    files = list(list_files(stored.folder))
    recorded = {record.name for record in stored.job.files if record.role != "original"}
    files += list_recorded(stored.folder, recorded - {file.name for file in files})
    ranks = {file.name: rank for rank, file in enumerate(printable(stored.folder))}
    superseded = {record.name for record in stored.job.files if record.is_superseded}
    files.sort(
        key=lambda file: (
            file.name in superseded,
            ranks.get(file.name, len(ranks)),
            file.name.casefold(),
        )
    )
    names = {file.name for file in files}
    originals = [record for record in stored.job.files if record.role == "original"]
    lost = [record for record in stored.job.files if record.role != "original" and record.name not in names]
    lines = [
        *(_folder_line(stored, file) for file in files[:MOST_SHOWN]),
        *(_original_line(stored, record) for record in originals),
        *(FileLine(record.name, record.name, record.size, "", record.sha256, exists=False) for record in lost),
    ]
    return lines, len(files)


def _with_inspection(line: FileLine, stored: Stored, services: Services) -> FileLine:
    """With what the inspection found in its bytes: the record of another file with the same bytes may have it."""
    record = stored.job.file(line.name)
    is_original = record is not None and record.role == "original"
    if line.exists and type_of(line.name).is_known and not is_original:
        is_portable = opens_everywhere(line.name)
        about = line.about if is_portable else f"{line.about} · {NOT_PORTABLE}"
        line = replace(line, can_open=is_portable, about=about)
    if record is None or not line.exists or line.sha256 is None:
        return line
    same = next((f for f in stored.job.files if f.sha256 == record.sha256 and (f.model or f.slicer)), record)
    name = preview_of(same)
    facts = read_model_facts(same)
    return replace(
        line,
        picture=name if name and (stored.folder / name).is_file() else None,
        facts=facts if facts is not None and facts.triangles else None,
        findings=tuple(findings_of(same, stored.job, services.lab)) if is_original else (),
        trouble=(same.model or {}).get("trouble"),
        sliced=tuple(_slicer_words(same, stored.job, services.lab)),
        can_view=type_of(line.name).is_mesh,
    )


def _slicer_words(record: FileRecord, job: Job, lab: Lab) -> Iterator[str]:
    facts = read_slicer_facts(record)
    if facts is None:
        return
    estimate = slicer_reading(record.name, facts, lab.method(job.request.method))
    if facts.program is not None:
        yield facts.maker
    if estimate is not None:
        yield from (
            f"{amount(number)} {unit}"
            for number, unit in ((estimate.weight_g, "g"), (estimate.volume_ml, "ml"), (estimate.time_h, "h"))
            if number is not None
        )
        if estimate.material:
            yield estimate.material
    if facts.layer_height_mm:
        yield f"{amount(facts.layer_height_mm)} mm layers"
    if len(facts.objects) > 1:
        yield f"{len(facts.objects)} objects"
    yield from facts.warnings


def _folder_line(stored: Stored, file: ListedFile) -> FileLine:
    record = stored.job.file(file.name)
    words = ["print file"] if file.name in stored.job.print_files else []
    words += ["working copy"] if record and record.role == "working" else []
    words += ["of an earlier version"] if record and record.is_superseded else []
    if record and record.converted_because:
        words.append(f"written as STL, because the sent file {record.converted_because}")
    words += _conversion_trouble(record, stored.job) if record else []
    original = conflict_of(file.name)
    words += [f"a sync program's second version of {original}"] if original else []
    words.append(f"saved {exact(datetime.fromtimestamp(file.mtime_ns / 1e9, UTC))}")
    # The record's hash is the file's only as long as nobody saved over it.
    sha256 = record.sha256 if record and record.size == file.size else None
    return FileLine(file.name, file.name, file.size, " · ".join(words), sha256)


def _conversion_trouble(copy: FileRecord, job: Job) -> list[str]:
    """Why the working copy is still what the student sent, although slicers refuse that."""
    models = [file.model or {} for file in job.files if file.role == "original" and file.sha256 == copy.sha256]
    sentences = [model["conversion_trouble"] for model in models if "conversion_trouble" in model]
    return [f"not written as STL: {sentence}" for sentence in sentences if copy.role == "working"]


def _original_line(stored: Stored, record: FileRecord) -> FileLine:
    about = "as the student sent it" if record.source == "upload" else f"from {record.source}"
    about += ", an earlier version" if record.is_superseded else ""
    about += f" · {exact(record.added_at)}"
    exists = (stored.folder / record.name).is_file()
    return FileLine(record.name, record.uploaded_as or record.name, record.size, about, record.sha256, exists)
