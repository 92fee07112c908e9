"""A lab's web, indexer and worker as processes of their own, and a student with a browser."""

from __future__ import annotations

import http.cookiejar
import io
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from tests.factories import FORM, STL
from tests.running_system import free_port
from tests.source import ROOT
from tests.waiting import until
from tests.web.conftest import hidden_value, token_in


class Lab:
    """`folder` holds storage/ and instance/."""

    def __init__(self, folder: Path, database_url: str, watch_mode: str) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = os.environ | {
            "PRINTSYS_STORAGE": str(folder / "storage"),
            "PRINTSYS_INSTANCE": str(folder / "instance"),
            "DATABASE_URL": database_url,
            "REDIS_URL": "",
            "MAIL_SERVER": "",
            "SUBMIT_LIMIT": "0",
            "WATCH_MODE": watch_mode,
            "STAFF_PASSWORD": "correct horse",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> None:
        """Its output goes to a file of its own."""
        log = self.folder / f"{len(self.processes)} {arguments[0].strip('-')}.log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", "tests.soak.part", *arguments]
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.processes.append(process)

    def logs(self) -> str:
        """The last of what each process has written, for the report of a failure."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"-- {file.name}\n{file.read_text('utf-8', 'replace')[-5000:]}" for file in files)

    def is_up(self) -> bool:
        return all(process.poll() is None for process in self.processes)

    def end(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)

    def submit(self, name: str) -> str:
        """Send a model by the form, as a browser does; the new job's id."""
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        page = browser.open(f"{self.url}/submit", timeout=60).read().decode()
        values = FORM | {
            "student_name": name,
            "csrf_token": token_in(page),
            "submission": hidden_value(page, "submission"),
            "file": FileStorage(io.BytesIO(STL), "gear.stl"),
        }
        boundary, body = encode_multipart(values)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        request = urllib.request.Request(f"{self.url}/submit", data=body, headers=headers)
        try:
            with browser.open(request, timeout=60) as answer:
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(str(answer.url)).query)
        except urllib.error.HTTPError as refusal:
            pytest.fail(re.sub(r"<[^>]+>|\s+", " ", refusal.read().decode())[:3000])
        return query["job"][0]


@contextmanager
def running_lab(folder: Path, database_url: str, watch_mode: str, *index_options: str, deaf: str = "") -> Iterator[Lab]:
    """`deaf`: the share of file events that are lost, and a seed."""
    lab = Lab(folder, database_url, watch_mode)
    lab.start("web", "--port", lab.url.rpartition(":")[2])
    lab.start(*(("--deaf", *deaf.split()) if deaf else ()), "index", *index_options)
    lab.start("work")
    try:
        until(lambda: serves(lab.url) or not lab.is_up(), 120)
        assert lab.is_up(), lab.logs()
        yield lab
    finally:
        lab.end()


def serves(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/submit", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
