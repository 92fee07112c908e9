"""How fast pages are: the dashboard with many jobs beside few, a 50 MB upload beside the machine's own limit.

    python bench/pages.py [JOBS]        (inside .venv; default 20,000 jobs)

* dashboard: its first page at JOBS jobs against the same at 1,000
* upload: a submission with a 50 MB model, its body on disk already, against write + fsync + sha256 of the same bytes
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import trimesh  # noqa: E402
from flask import Flask  # noqa: E402
from flask.testing import FlaskClient  # noqa: E402
from werkzeug.test import EnvironBuilder  # noqa: E402

from indexer import migrate  # noqa: E402
from indexer.rebuild import reindex  # noqa: E402
from printsys.config import load_settings  # noqa: E402
from printsys.credentials import staff_password  # noqa: E402
from printsys.domain.status import Status  # noqa: E402
from printsys.ops.postgres import embedded_postgres  # noqa: E402
from printsys.services import Services, build_services  # noqa: E402
from printsys.web import create_app  # noqa: E402
from tests.factories import FORM  # noqa: E402
from tests.many_jobs import make_many_jobs  # noqa: E402
from tests.web.conftest import STAFF_PASSWORD, hidden_value, token_in  # noqa: E402

FEW, LOADS, UPLOADS = 1_000, 30, 5
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


def upload_time(client: FlaskClient, model: Path) -> float:
    """The submission alone: like the form, it asks for a check of the model first."""
    page = client.get("/submit").get_data(as_text=True)
    with model.open("rb") as file:
        check = FORM | {"csrf_token": token_in(page), "file": (file, "big.stl")}
        assert client.post("/submit/check", data=check).status_code == 200
    with model.open("rb") as file:
        values = FORM | {"csrf_token": token_in(page), "submission": hidden_value(page, "submission")}
        builder = EnvironBuilder("/submit", method="POST", data=values | {"file": (file, "big.stl")})
        request = builder.get_request()  # writes the body to a temporary file
    start = time.perf_counter()
    answer = client.open(request)
    seconds = time.perf_counter() - start
    page_text = re.sub(r"<[^>]+>|\s+", " ", answer.get_data(as_text=True))
    assert answer.status_code == 303, page_text[:2000]
    return seconds


def raw_upload_time(model: Path, folder: Path) -> float:
    start = time.perf_counter()
    digest = hashlib.sha256()
    with model.open("rb") as file, (folder / "raw").open("wb") as copy:
        while block := file.read(1 << 20):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    return time.perf_counter() - start


def peak_mb() -> float:
    """ru_maxrss is in kB on Linux, in bytes on macOS."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform == "linux" else 1e6)


def compare_uploads(app: Flask, folder: Path) -> None:
    model = folder / "big.stl"
    ball_stl(model)
    before = peak_mb()
    took = statistics.median(upload_time(app.test_client(), model) for _ in range(UPLOADS))
    grown = peak_mb() - before
    raw = statistics.median(raw_upload_time(model, folder) for _ in range(UPLOADS))
    print(f"upload of 50 MB: {took:.2f} s, raw {raw:.2f} s: {took / raw:.2f} times the limit; "
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
