"""A computer that has no room left, or no more files to open, goes on with what it can. (FAULTS R14)"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from printsys.assessment.upload_checker import SCRATCH, UploadChecker
from printsys.config import ROOT
from printsys.services import Services
from printsys.web import uploads
from tests.factories import STL
from tests.running_system import System
from tests.waiting import until
from tests.web.conftest import Submit, json_of, token_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fills a tmpfs, and sets limits of Linux")


LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90))
runpy.run_path("manage.py", run_name="__main__")
"""


@pytest.fixture
def full_instance(app: Flask, services: Services) -> Iterator[Path]:
    """instance/ on a disk without a free byte; storage has room."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    instance = services.settings.instance
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(instance)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this container may not mount a disk")
    try:
        with contextlib.suppress(OSError), (instance / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        app.extensions[uploads.UPLOAD_CHECKER] = checker = UploadChecker(instance / SCRATCH)
        yield instance
        checker.stop()
    finally:
        subprocess.run(["umount", "-l", str(instance)], check=True)


def test_submitting_goes_on_while_the_instance_is_full(
    client: FlaskClient, services: Services, submit: Submit, full_instance: Path
) -> None:
    with pytest.raises(OSError, match="No space left"):
        (full_instance / "one more").write_bytes(b"x" * 8192)
    answer = submit()
    assert answer.status_code == 303
    assert client.get(answer.location).status_code == 200
    assert len(list(services.store.ids())) == 1


def test_the_check_says_that_we_look_later_while_the_instance_is_full(client: FlaskClient, full_instance: Path) -> None:
    token = token_in(client.get("/submit").get_data(as_text=True))
    answer = client.post(
        "/submit/check",
        data={"csrf_token": token, "file": (io.BytesIO(STL), "a.stl"), "print_method": "Filament"},
        content_type="multipart/form-data",
    )
    assert answer.status_code == 200
    assert "we will look at it ourselves" in str(json_of(answer)["html"])


def test_a_server_without_files_left_to_open_neither_spins_nor_floods_its_log(tmp_path: Path) -> None:
    system = System(tmp_path)
    command = [sys.executable, "-c", LIMITED, "web", "--port", str(system.port)]
    with system.log.open("wb") as log:
        web = subprocess.Popen(command, cwd=ROOT, env=system.environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(system.serves, 60)
        with contextlib.ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(socket.create_connection(("127.0.0.1", system.port), timeout=30))
            until(lambda: "server accept() threw an exception" in system.output)
        until(system.serves, 60)
        assert system.output.count("server accept() threw an exception") <= 3
    finally:
        web.kill()
        web.wait()
