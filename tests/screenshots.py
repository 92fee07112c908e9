"""Pictures of the main pages, for docs/: `python manage.py demo --screenshots FOLDER`, and for eyes on a change."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

from printsys.config import ROOT, Settings
from printsys.credentials.signed_links import Tokens
from printsys.demo.gcode import drop_gcode
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.jobstore.layout import PREVIEWS
from printsys.models3d.samples import sample
from printsys.services import build_services
from tests.browser.conftest import CHROMIUM, PASSWORD, log_in
from tests.running_system import System, system_of_its_own
from tests.waiting import until

SECRET = "the secret of these pictures"
JOBS = "150"
PATIENCE_S = 600
"""Until the worker has drawn the models of all jobs."""
WIDE, TABLET, PHONE = (1440, 900), (820, 1180), (390, 844)
SMALL = (1090, 640)
DIALOG = "dialog[open]"
COLORS = 128
"""In each picture's palette: a page's picture takes a third of the space so."""

Address = Callable[["Lab"], str]


@dataclass(frozen=True)
class Shot:
    """A picture and what it is of. `then`: what is done on the page before. `part`: a selector of what is
    shown alone."""

    name: str
    address: Address
    size: tuple[int, int] = WIDE
    theme: Literal["light", "dark"] = "light"
    then: Callable[[Page], None] = lambda page: None
    part: str | None = None


class Lab:
    """The running system's jobs."""

    def __init__(self, system: System) -> None:
        settings = Settings(
            storage=system.storage, instance=system.instance, lab_config=ROOT / "lab.toml", secret_key=SECRET
        )
        self.store = build_services(settings, enqueue=lambda job_id: None).store
        self.tokens = Tokens(SECRET)
        self.dragged = ""
        """The id of the job whose folder somebody dragged to another status folder."""

    def jobs(self, status: Status) -> list[Stored]:
        return [self.store.load(job_id) for job_id, _ in self.store.ids((status,))]

    def sliced(self) -> Stored:
        """A job that can be approved with one click."""
        return next(job for job in self.jobs(Status.UPLOADED) if any(job.folder.glob("*.gcode")))

    def first(self, status: Status) -> Stored:
        return self.jobs(status)[0]

    def in_plates(self) -> Stored:
        return next(job for job in self.jobs(Status.PRINTING) if job.job.request.copies > 1)

    def confirmation(self) -> str:
        job = next(job for job in self.jobs(Status.PENDING) if job.job.confirmation is not None)
        assert job.job.confirmation is not None
        assert job.job.confirmation.nonce is not None
        return self.tokens.confirm(job.id, job.job.confirmation.nonce)

    def disturb(self) -> None:
        """What a person should see: a copied folder, a model on its own, a print file of another weight."""
        copied = self.jobs(Status.UPLOADED)[-1].folder
        shutil.copytree(copied, copied.with_name(f"{copied.name} - Copy"))
        (copied.parent / "gear from the stick.stl").write_bytes(sample("gear", "stl"))
        sliced = next(job for job in self.jobs(Status.READY_TO_PRINT) if any(job.folder.glob("*.gcode")))
        drop_gcode(sliced, "151.2", "9.1", datetime.now(UTC))
        dragged = self.jobs(Status.READY_TO_PRINT)[-1]
        dragged.folder.rename(self.store.layout.root / Status.PRINTING.value / dragged.folder.name)
        self.dragged = dragged.id

    def has_pictures(self) -> bool:
        return all(any((job.folder / PREVIEWS).glob("*.png")) for job in self.jobs(Status.UPLOADED))


def check_a_model(page: Page) -> None:
    model: FilePayload = {"name": "phone stand.stl", "mimeType": "model/stl", "buffer": sample("phone_stand", "stl")}
    page.locator("input[type=file]").set_input_files(model)
    page.get_by_label("Filament").check()
    page.get_by_label("Color").select_option("True Red")
    page.locator(".check-facts").first.wait_for()
    page.locator(".check-picture").first.wait_for()


def open_a_job(page: Page) -> None:
    page.locator(".job-row", has=page.locator(".job-figures", has_text=" g")).first.get_by_role("link").first.click()
    page.locator("#panel .job-picture, #panel img").first.wait_for()


def wait_for_attention(page: Page) -> None:
    page.locator(".attention-card").nth(2).wait_for()


def ask(action: str, reason: str = "") -> Callable[[Page], None]:
    """Open the dialog of an action, and type a reason."""

    def then(page: Page) -> None:
        page.locator(f"#{action}").click()
        page.locator(DIALOG).wait_for()
        if reason:
            page.locator(f"{DIALOG} textarea").first.fill(reason)

    return then


def give_a_reason(page: Page) -> None:
    ask("reject", "The arms are 0.4 mm thick; 1.2 mm would hold.")(page)
    page.get_by_label("Walls or details too thin").check()


def mark_a_plate(page: Page) -> None:
    page.locator(".plate-marks").first.get_by_role("button", name="Printed").click()
    page.locator(".plate-printed").first.wait_for()


def tick_three(page: Page) -> None:
    boxes = page.locator(".job-row input[type=checkbox]")
    for place in range(3):
        boxes.nth(place).check()


SHOTS = (
    Shot("today", lambda lab: "/dashboard/today"),
    Shot("jobs", lambda lab: "/dashboard?status=Uploaded", then=open_a_job),
    Shot("jobs-dark", lambda lab: "/dashboard?status=Uploaded", theme="dark", then=open_a_job),
    Shot("job-phone", lambda lab: f"/dashboard/jobs/{lab.sliced().id}", PHONE),
    Shot("queue", lambda lab: "/dashboard/queue"),
    Shot("counter", lambda lab: f"/dashboard/counter?q={lab.first(Status.COMPLETED).id}", TABLET),
    Shot("attention", lambda lab: "/dashboard/attention", then=wait_for_attention),
    Shot("lab-today", lambda lab: "/dashboard/lab"),
    Shot("jobs-search", lambda lab: "/dashboard?q=blue", SMALL),
    Shot("jobs-ticked", lambda lab: "/dashboard?status=Uploaded", SMALL, then=tick_three),
    Shot("reject", lambda lab: f"/dashboard/jobs/{lab.sliced().id}", then=give_a_reason, part=DIALOG),
    Shot("new-job", lambda lab: "/dashboard/new", SMALL),
    Shot("plates", lambda lab: f"/dashboard/jobs/{lab.in_plates().id}", SMALL, then=mark_a_plate, part="#plates"),
    Shot(
        "print-failed",
        lambda lab: f"/dashboard/jobs/{lab.first(Status.PRINTING).id}",
        then=ask("fail", "It came off the bed at layer 12."),
        part=DIALOG,
    ),
    Shot("ticket", lambda lab: f"/dashboard/jobs/{lab.first(Status.READY_TO_PRINT).id}/ticket", part=".ticket"),
    Shot(
        "money-back",
        lambda lab: f"/dashboard/jobs/{lab.first(Status.PAID_PICKED_UP).id}",
        then=ask("refund", "Printed in the wrong color."),
        part=DIALOG,
    ),
    Shot(
        "step-back",
        lambda lab: f"/dashboard/jobs/{lab.first(Status.PENDING).id}",
        then=ask("revert", "The student wants it in another color."),
        part=DIALOG,
    ),
    Shot("dragged", lambda lab: f"/dashboard/jobs/{lab.dragged}", part=".history"),
    Shot("form-phone", lambda lab: "/submit", PHONE),
    Shot("form-checked", lambda lab: "/submit", then=check_a_model),
    Shot("status-phone", lambda lab: f"/status/{lab.tokens.status(lab.first(Status.READY_TO_PRINT).id)}", PHONE),
    Shot("confirm-phone", lambda lab: f"/confirm/{lab.confirmation()}", PHONE),
)


def take(folder: Path) -> Iterator[Path]:
    """The pictures' paths, each as soon as it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    with system_of_its_own(STAFF_PASSWORD=PASSWORD, SECRET_KEY=SECRET) as system:
        filled = system.manage("demo", "--jobs", JOBS)
        assert filled.returncode == 0, filled.stderr
        system.start()
        lab = Lab(system)
        lab.disturb()
        until(lab.has_pictures, PATIENCE_S)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
            read_the_news(browser, system)
            for shot in SHOTS:
                path = folder / f"{shot.name}.png"
                save(path, _picture(browser, system, shot, lab))
                yield path
            browser.close()


def read_the_news(browser: Browser, system: System) -> None:
    """What the demo laid into the folders may be what changed while the system was off."""
    page = browser.new_page()
    log_in(page, system)
    page.goto(f"{system.url}/dashboard/attention")
    if page.locator("#missed-heading").count():
        page.get_by_role("button", name="I have read this").click()
        page.locator("#missed-heading").wait_for(state="detached")
    page.close()


def _picture(browser: Browser, system: System, shot: Shot, lab: Lab) -> bytes:
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=shot.theme, reduced_motion="reduce"
    )
    page = context.new_page()
    address = shot.address(lab)
    if address.startswith("/dashboard"):
        log_in(page, system)
    page.goto(system.url + address)
    shot.then(page)
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    picture = page.locator(shot.part).first.screenshot() if shot.part else page.screenshot()
    context.close()
    return picture


def save(path: Path, picture: bytes) -> None:
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLORS).save(path, optimize=True)
