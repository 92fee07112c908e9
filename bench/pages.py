"""How fast pages are: the dashboard with many jobs beside few, a 50 MB upload beside the machine's own limit.

    python bench/pages.py [JOBS]        (inside .venv; default 20,000 jobs)

* dashboard: its first page at JOBS jobs against the same at 1,000
* upload: a submission with a 50 MB model over a socket, against a socket's other end that hashes the same bytes once,
  writes them twice and syncs both
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import os
import re
import resource
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import trimesh  # noqa: E402
from flask import Flask  # noqa: E402
from flask.testing import FlaskClient  # noqa: E402
from werkzeug.datastructures import FileStorage, MultiDict  # noqa: E402
from werkzeug.test import encode_multipart  # noqa: E402

from indexer import migrate  # noqa: E402
from indexer.rebuild import reindex  # noqa: E402
from printsys.config import load_settings  # noqa: E402
from printsys.credentials import staff_password  # noqa: E402
from printsys.domain.status import Status  # noqa: E402
from printsys.ops.postgres import embedded_postgres  # noqa: E402
from printsys.services import Services, build_services  # noqa: E402
from printsys.web import create_app  # noqa: E402
from printsys.web.server import PageServer  # noqa: E402
from tests.factories import FORM  # noqa: E402
from tests.many_jobs import make_many_jobs  # noqa: E402
from tests.running_system import free_port  # noqa: E402
from tests.web.conftest import STAFF_PASSWORD, hidden_value, token_in  # noqa: E402

FEW, LOADS, UPLOADS = 1_000, 30, 11
UPLOAD_BYTES = 50_000_000
LIVE_SHARE = 20  # one job in so many is in Uploaded, the rest is in Archived


def open_services(folder: Path, url: str) -> Services:
    settings = load_settings(
        {
            "PRINTSYS_STORAGE": str(folder / "storage"),
            "PRINTSYS_INSTANCE": str(folder / "instance"),
            "LAB_CONFIG": str(ROOT / "lab.toml"),
            "DATABASE_URL": url,
            "SUBMIT_LIMIT": "0",
        },
        folder,
    )
    staff_password.choose(settings, STAFF_PASSWORD)
    services = build_services(settings, enqueue=lambda job_id: None)
    services.store.layout.make()
    return services


def staff_of(app: Flask) -> FlaskClient:
    client = app.test_client()
    token = token_in(client.get("/login").get_data(as_text=True))
    assert client.post("/login", data={"csrf_token": token, "password": STAFF_PASSWORD}).status_code == 303
    return client


def add_jobs(services: Services, count: int) -> None:
    make_many_jobs(services.store, count // LIVE_SHARE, Status.UPLOADED)
    make_many_jobs(services.store, count - count // LIVE_SHARE, Status.ARCHIVED)
    reindex(services.store, services.mirror.engine)


def page_time(client: FlaskClient, path: str) -> float:
    """Seconds of the median load."""
    seconds = []
    for _ in range(LOADS):
        start = time.perf_counter()
        answer = client.get(path)
        seconds.append(time.perf_counter() - start)
        assert answer.status_code == 200, f"{path}: {answer.status}"
    return statistics.median(seconds)


def ball_stl(path: Path) -> None:
    """A ball of about `UPLOAD_BYTES`, 40 mm wide: 50 bytes a triangle."""
    rings = int((0.95 * UPLOAD_BYTES / 50 / 8) ** 0.5)
    trimesh.creation.uv_sphere(radius=20.0, count=[rings, 2 * rings]).export(path)


def upload_time(client: http.client.HTTPConnection, model: bytes) -> float:
    """From the first byte that is sent to the answer. Like the form, it asks for a check of the model first."""
    html, cookie = _read_form(client)
    headers, body = _multipart(FORM | {"csrf_token": token_in(html)}, model, cookie)
    client.request("POST", "/submit/check", body, headers)
    assert _read_answer(client).status in (200, 202)
    values = FORM | {"csrf_token": token_in(html), "submission": hidden_value(html, "submission")}
    headers, body = _multipart(values, model, cookie)
    start = time.perf_counter()
    client.request("POST", "/submit", body, headers)
    answer = client.getresponse()
    seconds = time.perf_counter() - start
    page_text = re.sub(r"<[^>]+>|\s+", " ", answer.read().decode())
    assert answer.status == 303, page_text[:2000]
    return seconds


def _read_form(client: http.client.HTTPConnection) -> tuple[str, str]:
    client.request("GET", "/submit")
    answer = client.getresponse()
    return answer.read().decode(), answer.headers["Set-Cookie"].partition(";")[0]


def _read_answer(client: http.client.HTTPConnection) -> http.client.HTTPResponse:
    answer = client.getresponse()
    answer.read()
    return answer


def _multipart(values: dict[str, str], model: bytes, cookie: str) -> tuple[dict[str, str], bytes]:
    boundary, body = encode_multipart(MultiDict(values | {"file": FileStorage(io.BytesIO(model), "big.stl")}))
    return {"Content-Type": f"multipart/form-data; boundary={boundary}", "Cookie": cookie}, body


def raw_upload_time(model: bytes, folder: Path) -> float:
    """The same bytes through a socket, hashed once, written twice and synced twice: the least that anybody needs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receiver = threading.Thread(target=_receive, args=(listener, folder))
        receiver.start()
        with socket.create_connection(listener.getsockname()) as sender:
            start = time.perf_counter()
            sender.sendall(model)
            sender.shutdown(socket.SHUT_WR)
            sender.recv(1)
            seconds = time.perf_counter() - start
        receiver.join()
    return seconds


def _receive(listener: socket.socket, folder: Path) -> None:
    connection, _ = listener.accept()
    digest = hashlib.sha256()
    with connection, (folder / "raw").open("wb") as first, (folder / "raw copy").open("wb") as second:
        while block := connection.recv(1 << 16):
            digest.update(block)
            first.write(block)
            second.write(block)
        for file in (first, second):
            file.flush()
            os.fsync(file.fileno())
        connection.sendall(b"1")


def peak_mb() -> float:
    """ru_maxrss is in kB on Linux, in bytes on macOS."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform == "linux" else 1e6)


def compare_uploads(app: Flask, folder: Path) -> None:
    path = folder / "big.stl"
    ball_stl(path)
    model = path.read_bytes()
    port = free_port()
    server = PageServer(app, "127.0.0.1", port, trusts_proxies=False)
    server.start()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    upload_time(client, model)  # what is loaded at first use is no memory of an upload
    before = peak_mb()
    times, raw_times = [], []
    for _ in range(UPLOADS):  # in turns: other work on this machine weighs on both
        times.append(upload_time(client, model))
        raw_times.append(raw_upload_time(model, folder))
    grown = peak_mb() - before
    server.stop()
    took, raw = statistics.median(times), statistics.median(raw_times)
    ratio = statistics.median(time / raw_time for time, raw_time in zip(times, raw_times, strict=True))
    print(f"upload of 50 MB: {took:.2f} s, raw {raw:.2f} s: {ratio:.2f} times the limit; "
          f"peak memory grew by {grown:.0f} MB")  # fmt: skip


def main(count: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with embedded_postgres(folder / "instance") as url:
            migrate.upgrade(url)
            services = open_services(folder, url)
            app = create_app(services)
            compare_uploads(app, folder)
            client = staff_of(app)
            add_jobs(services, FEW)
            few = page_time(client, "/dashboard")
            add_jobs(services, count - FEW)
            many = page_time(client, "/dashboard")
            times = f"{many / few:.2f} times"
            print(f"dashboard at {count} jobs: {many * 1000:.1f} ms, at {FEW}: {few * 1000:.1f} ms: {times}")
            services.mirror.engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="?", type=int, default=20_000)
    main(parser.parse_args().jobs)
