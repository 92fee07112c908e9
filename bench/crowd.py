"""The people of bench/burst.py: students, staff with their slicer, somebody who plays tricks, and idle browsers.

Each writes down what it met; whatever a person would call an error is an `Event` of kind `error`.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import random
import re
import selectors
import socket
import threading
import time
import urllib.parse
import zipfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import trimesh

from bench.plain_browser import PATIENCE_S, Browser, Event, Page, Unexpected, hidden, require, watched
from tests.factories import FORM

# -- students ---------------------------------------------------------------------------------------------------------


@dataclass
class Student:
    """`begins_at`: seconds after the start. `breaks_off`: the first try is cut off in its middle."""

    number: int
    begins_at: float
    model: Path
    rate: float
    breaks_off: bool
    sha256: str = ""
    job_id: str | None = None
    """Of the job that the system acknowledged."""
    events: list[Event] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"student{self.number}@example.edu"

    def visit(self, port: int, start: float) -> None:
        time.sleep(max(0.0, start + self.begins_at - time.monotonic()))
        browser = Browser(port, self.rate, self.events)
        watched(self.events, self.email, lambda: self._submit(browser))
        browser.close()

    def _submit(self, browser: Browser) -> None:
        data = bytearray(self.model.read_bytes())
        data[:16] = b"%-16d" % self.number  # in the header of the STL: no two students send the same bytes
        model, name = bytes(data), f"model {self.number}.stl"
        self.sha256 = hashlib.sha256(model).hexdigest()
        form = browser.load("/submit")
        fields = {name: str(value) for name, value in FORM.items()}
        fields |= {"student_name": f"Student {self.number}", "student_email": self.email}
        fields["csrf_token"] = hidden(form, "csrf_token")
        wait_for_check(browser, browser.send_file("/submit/check", fields, name, model, "check"))
        fields["submission"] = hidden(form, "submission")
        if self.breaks_off:
            browser.send_file("/submit", fields, name, model, "", share=0.6)
        answer = require(browser.send_file("/submit", fields, name, model, "submission"), 303)
        self.job_id = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.url).query)["job"][0]
        success = browser.get(answer.url)
        status_link = re.search(r'"(?:https?://[^"/]+)?(/status/[^"]+)"', success.text)
        if status_link is None:
            raise Unexpected("no link to the status")
        browser.get(unescape(status_link.group(1)))


def wait_for_check(browser: Browser, answer: Page, patience_s: float = 10.0) -> None:
    """As the form's script asks, each second; a student does not wait for ever."""
    answer_id = str(json.loads(require(answer, 200, 202).text).get("id"))
    end = time.monotonic() + patience_s
    while answer.status == 202 and time.monotonic() < end:
        time.sleep(1)
        answer = browser.get(f"/submit/check/{answer_id}", expected=(200, 202))


# -- staff, and others -------------------------------------------------------------------------------------------------


class Staff(threading.Thread):
    """Looks at the list, opens a job, writes a note on it, until `stop`."""

    def __init__(self, port: int, password: str, number: int) -> None:
        super().__init__(daemon=True)
        self._browser = Browser(port)
        self._password = password
        self._random = random.Random(number)
        self._stopped = threading.Event()
        self.events = self._browser.events

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        watched(self.events, "staff", self._work)

    def _work(self) -> None:
        login = self._browser.get("/login", "log-in")
        fields = {"csrf_token": hidden(login, "csrf_token"), "password": self._password}
        self._browser.post("/login", fields, "log-in")
        while not self._pause():
            dashboard = self._browser.get("/dashboard?status=Uploaded", "staff")
            jobs = sorted({*re.findall(r"/dashboard/jobs/([0-9a-z]{8})\b", dashboard.text)})
            if jobs and not self._pause():
                self._take_note(self._random.choice(jobs))
            if not self._pause():
                self._browser.get("/dashboard/attention", "staff")

    def _take_note(self, job_id: str) -> None:
        """409: a slicer was faster, so the page is opened again."""
        path = f"/dashboard/jobs/{job_id}"
        page = self._browser.get(path, "staff")
        self._pause()
        fields = {"csrf_token": hidden(page, "csrf_token"), "revision": hidden(page, "revision"), "notes": "seen"}
        if self._browser.post(f"{path}/notes", fields, "staff", (302, 303, 409)).status == 409:
            self._browser.get(path, "staff")

    def _pause(self) -> bool:
        """Whether it is over."""
        return self._stopped.wait(self._random.uniform(0.3, 1.2))


class IdleConnections(threading.Thread):
    """Browsers that keep `count` connections open and say nothing; who is cut off, comes again."""

    def __init__(self, port: int, count: int) -> None:
        super().__init__(daemon=True)
        self._address = ("127.0.0.1", port)
        self._count = count
        self._stopped = threading.Event()
        self.open: set[socket.socket] = set()
        self.events: list[Event] = []

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        with selectors.DefaultSelector() as selector, ExitStack() as sockets:
            while not self._stopped.is_set():
                while len(self.open) < self._count and not self._stopped.is_set():
                    watched(self.events, "idle", lambda: self._connect(selector, sockets))
                for key, _ in selector.select(0.2):
                    assert isinstance(key.fileobj, socket.socket)
                    selector.unregister(key.fileobj)
                    self.open.discard(key.fileobj)
                    key.fileobj.close()

    def _connect(self, selector: selectors.BaseSelector, sockets: ExitStack) -> None:
        connection = sockets.enter_context(socket.create_connection(self._address, timeout=PATIENCE_S))
        self.open.add(connection)
        selector.register(connection, selectors.EVENT_READ)


def send_hostile_check(port: int, model: bytes) -> None:
    """From a browser that leaves. What it is answered is its own concern."""
    browser = Browser(port)
    with suppress(OSError, http.client.HTTPException, Unexpected):
        fields = {"csrf_token": hidden(browser.get("/submit"), "csrf_token"), "print_method": "Filament"}
        browser.send_file("/submit/check", fields, "hostile.3mf", model, "check")
    browser.close()


def hostile_model(number: int, doublings: int = 11) -> bytes:
    """11 KB that keep a processor busy for 20 s: a ball, and parts of two of the part before."""
    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices = "".join(f'<vertex x="{x:.3f}" y="{y:.3f}" z="{z:.3f}"/>' for x, y, z in ball.vertices)
    triangles = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in ball.faces)
    objects = f'<object id="1"><mesh><vertices>{vertices}</vertices><triangles>{triangles}</triangles></mesh></object>'
    for n in range(2, doublings + 2):
        part = f'<component objectid="{n - 1}"/>'
        objects += f'<object id="{n}"><components>{part}{part}</components></object>'
    build = f'<build><item objectid="{doublings + 1}"/></build><!-- {number} -->'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("_rels/.rels", RELATION)
        package.writestr(
            "3D/m.model", f'<model unit="millimeter" {CORE}><resources>{objects}</resources>{build}</model>'
        )
    return out.getvalue()


CORE = 'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"'
RELATION = (
    '<Relationships><Relationship Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel" '
    'Target="/3D/m.model"/></Relationships>'
)


class Slicer(threading.Thread):
    """Saves G-code into the folders of submitted jobs, a piece at a time."""

    MOVES = b"G1 X10.123 Y20.456 E0.01234\n" * 40_000

    def __init__(self, storage: Path) -> None:
        super().__init__(daemon=True)
        self._uploaded = storage / "Uploaded"
        self._stopped = threading.Event()
        self.saved: list[Path] = []

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        while not self._stopped.wait(1.0):
            folders = [folder for folder in self._uploaded.iterdir() if folder not in self.saved]
            if folders:
                with suppress(FileNotFoundError):  # staff moved it meanwhile
                    self._save(folders[0])

    def _save(self, folder: Path) -> None:
        self.saved.append(folder)
        with (folder / f"{folder.name}.gcode").open("wb") as file:
            file.write(b"; generated by PrusaSlicer 2.8.1 on 2026-03-02 at 16:20:11 UTC\n")
            for start in range(0, len(self.MOVES), 200_000):
                file.write(self.MOVES[start : start + 200_000])
                self._stopped.wait(0.1)
            file.write(b"; filament used [g] = 12.30\n; estimated printing time (normal mode) = 1h 2m 3s\n")
