"""A lab in the middle of its term: the real actions make a dozen jobs in all statuses, over the past fortnight.

Nothing here is of real people; all addresses are at example.edu, which belongs to nobody
(https://www.iana.org/domains/reserved).
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from printsys.actions import Actions
from printsys.config import Lab
from printsys.domain import emails
from printsys.domain.events import STAFF
from printsys.domain.inputs import SubmitInput, validate
from printsys.domain.workflow import find_step
from printsys.errors import PrintSysError
from printsys.jobstore import IncomingFile, JobStore, Stored
from printsys.models3d.samples import sample
from printsys.services import Services


@dataclass(frozen=True)
class DemoStep:
    """`ago`: how long before now. `action`: of the workflow, or `slice` and `student agrees`."""

    ago: timedelta
    action: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """A job's life. `files`: the student's own name for each, and the sample that it is."""

    name: str
    email: str
    discipline: str
    class_number: str
    method: str
    color: str
    printer: str
    files: Sequence[tuple[str, str]]
    sent: timedelta
    steps: Sequence[DemoStep] = ()
    copies: int = 1
    message: str = ""
    due_in_days: int | None = None


def after(days: float = 0, hours: float = 0) -> timedelta:
    return timedelta(days=days, hours=hours)


def sliced(ago: timedelta, weight_g: str, hours: str) -> tuple[DemoStep, DemoStep]:
    """Staff slice it, and approve it with the slicer's figures."""
    figures = {"weight_g": weight_g, "time_h": hours}
    return DemoStep(ago, "slice", figures), DemoStep(ago - timedelta(minutes=4), "approve", figures)


def approved(ago: timedelta, weight_g: str, hours: str) -> DemoStep:
    return DemoStep(ago, "approve", {"weight_g": weight_g, "time_h": hours})


def agreed(ago: timedelta) -> DemoStep:
    return DemoStep(ago, "student agrees")


STORIES = (
    Story(
        "Amara Okafor", "amara@example.edu", "Hobby/Personal", "N/A", "Filament", "True Red", "prusa-mk4s",
        [("phone stand FINAL.stl", "phone_stand.stl")], after(hours=0.4),
        message="It is a present for my sister, so red if you have it!",
    ),
    Story(
        "李明", "liming@example.edu", "Engineering", "MECH 3120", "Filament", "Electric Blue", "prusa-xl",
        [("齿轮.stl", "gear.stl"), ("die.obj", "die.obj")], after(hours=3), copies=2,
    ),
    Story(
        "José Ñandú", "jose@example.edu", "Landscape Architecture", "LARC 5010", "Filament", "Forest Green",
        "raise3d-pro2-plus", [("terreno v7.3mf", "terrain.3mf")], after(days=1, hours=2),
        [
            DemoStep(after(days=1), "review"),
            DemoStep(after(days=1), "notes", {"notes": "Wants it for the review on Friday. Asked for wood filament."}),
            DemoStep(after(hours=20), "slice", {"weight_g": "38.41", "time_h": "2.7"}),
        ],
        due_in_days=4, message="The contour lines should stay visible, please.",
    ),
    Story(
        "Zoë Kowalczyk", "zoe@example.edu", "Art", "ART 2204", "Filament", "Glow in the Dark", "prusa-mk4s",
        [("vase.stl", "vase.stl")], after(days=2), [*sliced(after(days=1, hours=3), "74.9", "6.2")],
    ),
    Story(
        "Οδυσσέας Παππάς", "odysseas@example.edu", "Architecture", "ARCH 4000", "Filament", "True White", "prusa-xl",
        [("site model.3mf", "terrain.3mf")], after(days=11),
        [
            approved(after(days=10), "61.2", "4.1"),
            DemoStep(after(days=2), "notes", {"notes": "Has not answered. E-mail him once more?"}),
        ],
    ),
    Story(
        "प्रिया रमण", "priya@example.edu", "Engineering", "ECGR 2252", "Filament", "True Black", "prusa-mk4s",
        [("enclosure lid.obj", "name_plate.obj")], after(days=3), [
            *sliced(after(days=2, hours=5), "12.6", "1.1"), agreed(after(days=2)),
        ], message="Black or dark gray are both fine.",
    ),
    Story(
        "Jane Doe", "jane@example.edu", "Architecture", "ARCH 4000", "Filament", "Copper", "prusa-mk4s",
        [("bracelet v2.stl", "bracelet.stl")], after(days=6),
        [
            approved(after(days=5, hours=4), "9.4", "0.8"), agreed(after(days=5)), DemoStep(after(days=4), "start"),
            DemoStep(after(days=3, hours=20), "fail", {
                "reason": "It came off the bed at layer 12.", "fault": "machine", "wasted_g": "4"}),
        ],
    ),
    Story(
        "Mateo Álvarez", "mateo@example.edu", "Interior Design", "INTD 3010", "Filament", "Light Orange", "prusa-xl",
        [("lamp base.stl", "vase.stl")], after(days=4),
        [*sliced(after(days=3), "71.3", "5.9"), agreed(after(days=2, hours=6)), DemoStep(after(hours=2), "start")],
    ),
    Story(
        "田中 ゆき", "yuki@example.edu", "Art", "ART 3310", "Resin", "Gray", "formlabs-form3",
        [("die rounded.stl", "die.stl")], after(days=5), [
            approved(after(days=3, hours=20), "6.1", "2.4"), agreed(after(days=3)),
            DemoStep(after(days=1, hours=5), "start"), DemoStep(after(hours=22), "complete"),
        ], copies=2,
    ),
    Story(
        "محمد الأحمد", "mohammed@example.edu", "Engineering", "MECH 1101", "Filament", "True Yellow", "prusa-mk4s",
        [("gear18.stl", "gear.stl")], after(days=9), [
            *sliced(after(days=8, hours=3), "11.8", "0.9"), agreed(after(days=8)), DemoStep(after(days=7), "start"),
            DemoStep(after(days=6, hours=22), "complete"),
            DemoStep(after(days=3, hours=1), "pickup", {
                "weight_g": "11.8", "picked_up_by": "Mohammed", "transaction": "0417"}),
        ],
    ),
    Story(
        "Chloé Dubois", "chloe@example.edu", "Art", "ART 2204", "Filament", "Midnight Purple", "prusa-mk4s",
        [("sculpture_scan.obj", "terrain.obj")], after(days=4), [
            DemoStep(after(days=3, hours=21), "reject", {
                "reasons": ["not-watertight", "too-thin"],
                "comment": "The scan is lovely! Close it in Meshmixer and give the arms 2 mm, and it will print."}),
        ],
    ),
    Story(
        "Ngọc Trần", "ngoc@example.edu", "Hobby/Personal", "N/A", "Filament", "Lime Green", "raise3d-pro2-plus",
        [("name plate.3mf", "name_plate.3mf")], after(days=14), [
            approved(after(days=13, hours=20), "4.2", "0.5"), agreed(after(days=13, hours=18)),
            DemoStep(after(days=13), "start"), DemoStep(after(days=12, hours=23), "complete"),
            DemoStep(after(days=12), "pickup", {"picked_up_by": "Ngọc"}),
            DemoStep(after(days=1, hours=1), "archive"),
        ],
    ),
)  # fmt: skip


def is_empty(store: JobStore) -> bool:
    return next(store.layout.job_folders(), None) is None


def fill(services: Services) -> list[Stored]:
    """The jobs, as they are in the end. PrintSysError where the storage has jobs already."""
    if not is_empty(services.store):
        raise PrintSysError(
            f"There are jobs in {services.settings.storage} already. The demo fills only an empty storage; "
            "give it one of its own with --storage."
        )
    demo = _Demo(services, datetime.now(UTC))
    return [demo.live(story) for story in STORIES]


class _Demo:
    """Takes each job through the real actions, under a clock that shows the story's time."""

    def __init__(self, services: Services, now: datetime) -> None:
        self.services, self.now, self.clock_time = services, now, now
        store = JobStore(services.settings.storage, services.store.expected_id, clock=self._clock)
        self.actions: Actions = replace(services.actions, store=store, enqueue=lambda job_id: None, clock=self._clock)
        self.lab: Lab = services.lab
        self.staff = f"{STAFF}:{self.lab.about.staff[0]}" if self.lab.about.staff else STAFF

    def _clock(self) -> datetime:
        return self.clock_time

    def live(self, story: Story) -> Stored:
        self.clock_time = self.now - story.sent
        stored = self._submit(story)
        for step in story.steps:
            self.clock_time = self.now - step.ago
            stored = self._perform(stored, step)
        return self._keep_from_real_mail(stored)

    def _submit(self, story: Story) -> Stored:
        method = self.lab.method(story.method) or self.lab.methods[0]
        due = story.due_in_days and (self.now + timedelta(days=story.due_in_days)).date().isoformat()
        form = {
            "student_name": story.name,
            "student_email": story.email,
            "discipline": _offered(story.discipline, self.lab.submission.disciplines),
            "class_number": story.class_number,
            "print_method": method.name,
            "color": _offered(story.color, method.colors),
            "printer": _offered(story.printer, [printer.id for printer in self.lab.printers_for(method.name)]),
            "minimum_charge_consent": "yes",
            "copies": min(story.copies, self.lab.submission.max_copies),
            "due_date": due,
            "message": story.message,
        }
        files = [self._file(*file) for file in story.files[: self.lab.submission.max_files]]
        return self.actions.submit(validate(SubmitInput, form), files)

    def _file(self, name: str, sample_name: str) -> IncomingFile:
        shape, _, kind = sample_name.partition(".")
        kind = _offered(f".{kind}", self.lab.submission.extensions).removeprefix(".")
        return IncomingFile(f"{name.rpartition('.')[0]}.{kind}", io.BytesIO(sample(shape, kind)))

    def _perform(self, stored: Stored, step: DemoStep) -> Stored:
        if step.action == "slice":
            drop_gcode(stored, step.values["weight_g"], step.values["time_h"], self.clock_time)
            return stored
        if step.action == "student agrees":
            confirmation = stored.job.confirmation
            assert confirmation is not None and confirmation.nonce is not None
            return self.actions.student_decides(stored.id, confirmation.nonce, confirm=True)
        needs = find_step(step.action, stored.job.status, STAFF).needs
        action_input = validate(needs, dict(step.values) | self._values_of_this_lab(stored, step))
        return self.actions.perform(stored.id, step.action, action_input, self.staff, stored.job.revision)

    def _values_of_this_lab(self, stored: Stored, step: DemoStep) -> dict[str, Any]:
        """What staff fill in besides, with the materials, prices and reasons that the lab has."""
        job = stored.job
        method = self.lab.method(job.request.method)
        if step.action == "approve" and method is not None:
            material = method.materials[0]
            volume = Decimal(step.values["weight_g"]) / material.density_g_cm3
            by_volume = self.lab.price_list_on(self.clock_time.date()).rates[method.name].unit == "ml"
            amount = {"volume_ml": f"{volume:.1f}"} if by_volume else {}
            return amount | {"print_file": print_files(stored), "material": material.name}
        if step.action == "pickup" and job.estimate is not None:
            return {"payment_method": self.lab.payment.methods[0], "amount": str(job.estimate.cost)}
        if step.action == "reject":
            return {"reasons": [name for name in step.values["reasons"] if self.lab.reason(name)]}
        return {}

    def _keep_from_real_mail(self, stored: Stored) -> Stored:
        """Drops the job's e-mails where a real server is set up; the outbox may have all of them."""
        if self.services.settings.mail is None:
            return stored
        owed = emails.owed(stored.events, stored.id)
        return self.actions.record(stored.id, lambda _: [emails.dropped(mail, "a job of the demo") for mail in owed])


def _offered(wish: str, offered: Sequence[str]) -> str:
    """`wish` where the lab has it: it may have other colors, printers and so on."""
    return wish if wish in offered else offered[0]


def print_files(stored: Stored) -> list[str]:
    """What a slicer saved in the folder, else the working copies."""
    gcode = sorted(path.name for path in stored.folder.glob("*.gcode"))
    return gcode or [file.name for file in stored.job.files if file.role == "working"]


GCODE = """; Made up for a demonstration: do not print this.
; generated by PrusaSlicer 2.8.1+win64 on {date} at {time} UTC

;TYPE:Custom
M862.3 P "{printer}" ; printer model check
G90
M83
M104 S170
M140 S60
G28
M109 S215
;LAYER_CHANGE
;Z:0.2
;HEIGHT:0.2
G1 Z.2 F720
;TYPE:Skirt/Brim
G1 X90 Y80 F9000
G1 X160 Y80 E2.633 F1200
G1 X160 Y130 E1.881
G1 X90 Y130 E2.633
G1 X90 Y80 E1.881
M104 S0
M140 S0
M84

; filament used [mm] = {length}
; filament used [cm3] = {volume}
; filament used [g] = {grams}
; total filament used [g] = {grams}
; estimated printing time (normal mode) = {duration}

; prusaslicer_config = begin
; filament_density = 1.24
; filament_diameter = 1.75
; filament_type = PLA
; layer_height = 0.2
; nozzle_diameter = 0.4
; printer_model = {printer}
; prusaslicer_config = end
"""
MODELS = {"prusa-mk4s": "MK4S", "prusa-xl": "XL"}
FILAMENT_MM2 = 2.405
PLA_G_CM3 = 1.24


def drop_gcode(stored: Stored, weight_g: str, time_h: str, when: datetime) -> Path:
    """A sliced file beside the job's model, saved as slicers save: under another name first, then renamed."""
    minutes = round(float(time_h) * 60)
    duration = f"{minutes // 60}h {minutes % 60}m 0s"
    printer = MODELS.get(stored.job.request.printer or "", "MK4S")
    volume = float(weight_g) / PLA_G_CM3
    text = GCODE.format(
        date=f"{when:%Y-%m-%d}",
        time=f"{when:%H:%M:%S}",
        printer=printer,
        length=f"{volume * 1000 / FILAMENT_MM2:.2f}",
        volume=f"{volume:.2f}",
        grams=f"{float(weight_g):.2f}",
        duration=duration,
    )
    working = next(file.name for file in stored.job.files if file.role == "working")
    stem = working.rpartition(".")[0]
    path = stored.folder / f"{stem}_0.2mm_PLA_{printer}_{minutes // 60}h{minutes % 60}m.gcode"
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text, "utf-8")
    os.utime(unfinished, (when.timestamp(), when.timestamp()))
    return unfinished.replace(path)
