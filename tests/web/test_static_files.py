"""Style sheets and scripts: compressed, kept until they change, and few."""

from __future__ import annotations

import gzip
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient

from printsys.config import ROOT
from printsys.domain.status import Status
from printsys.web.static_files import FOREVER, IMPORT, StaticFiles, imported_modules
from tests.web.conftest import MakeJob

GZIP = {"Accept-Encoding": "gzip, deflate, br"}
SITE_CSS = (ROOT / "static" / "css" / "site.css").read_bytes()
MOST_BYTES = 100_000


class Parts(HTMLParser):
    """The style sheets, scripts and drawings that a page loads, by address."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get({"link": "href", "script": "src", "img": "src"}.get(tag, ""))
        if address and "/static/" in address:
            self.addresses.append(address)


def parts_of(html: str) -> list[str]:
    parts = Parts()
    parts.feed(html)
    return parts.addresses


def site_css(client: FlaskClient) -> str:
    return next(address for address in parts_of(client.get("/submit").text) if "/site.css" in address)


def test_what_an_address_with_its_version_brings_is_kept_for_ever(client: FlaskClient) -> None:
    addresses = parts_of(client.get("/submit").text)
    assert any("/bootstrap/static/" in address for address in addresses)
    for address in addresses:
        assert re.search(r"\?v=[0-9a-f]{8}$", address)
        answer = client.get(address, headers=GZIP)
        assert answer.status_code == 200 and answer.headers["Cache-Control"] == FOREVER


def test_nobodys_session_is_in_what_is_kept(staff: FlaskClient) -> None:
    """A browser says what it fetches only where it trusts the connection: not over http in the lab's network."""
    answer = staff.get(site_css(staff), headers=GZIP)
    assert answer.headers["Cache-Control"] == FOREVER
    assert "Set-Cookie" not in answer.headers and answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("version", ["", "?v=", "?v=00000000"])
def test_any_other_address_is_asked_for_again(client: FlaskClient, version: str) -> None:
    for headers in ({}, GZIP):
        answer = client.get(f"/static/css/site.css{version}", headers=headers)
        assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-cache"


def test_a_changed_file_has_another_address(app: Flask, tmp_path: Path) -> None:
    files, sheet = StaticFiles(app), tmp_path / "a.css"
    files.folders["static"] = tmp_path
    versions = set()
    for number, text in enumerate(("a", "b", "longer")):
        sheet.write_text(text, "utf-8")
        os.utime(sheet, (number, number))  # a clock may stand still between two of them
        values = {"filename": "a.css"}
        files.add_version("static", values)
        versions.add(values["v"])
    assert len(versions) == 3


def test_a_file_that_is_not_there_has_no_version_and_is_not_found(app: Flask, client: FlaskClient) -> None:
    with app.test_request_context():
        assert url_for("static", filename="none.css") == "/static/none.css"
        assert url_for("static", filename="../lab.toml") == "/static/../lab.toml"
    for address in ("/static/none.css", "/static/css", "/static/../lab.toml", "/static/%2e%2e/lab.toml", "/static/%00"):
        answer = client.get(address, headers=GZIP)
        assert answer.status_code == 404 and answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["css/site.css", "js/bench.js", "icon.svg"])
def test_text_is_sent_compressed_where_the_browser_takes_it(client: FlaskClient, name: str) -> None:
    plain, compressed = client.get(f"/static/{name}"), client.get(f"/static/{name}", headers=GZIP)
    assert "Content-Encoding" not in plain.headers and compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed.data) == plain.data == (ROOT / "static" / name).read_bytes()
    assert compressed.headers["Content-Length"] == str(len(compressed.data))
    assert compressed.headers["Content-Type"] == plain.headers["Content-Type"]
    assert compressed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert compressed.headers["ETag"] != plain.headers["ETag"]
    refusing = client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "Content-Encoding" not in refusing.headers


def test_the_head_alone_has_the_length_of_what_it_stands_for(client: FlaskClient) -> None:
    whole, head = (method("/static/css/site.css", headers=GZIP) for method in (client.get, client.head))
    assert head.data == b"" and head.headers["Content-Length"] == whole.headers["Content-Length"]


def test_what_a_browser_has_already_is_not_sent_again(client: FlaskClient) -> None:
    address = site_css(client)
    for headers in ({}, GZIP):
        first = client.get(address, headers=headers)
        again = client.get(address, headers=headers | {"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304 and again.data == b""
        assert again.headers["Vary"] == "Accept-Encoding" and again.headers["Cache-Control"] == FOREVER
    other = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200, "the browser has the compressed one only"


def test_a_part_of_a_file_is_a_part_of_its_own_bytes(client: FlaskClient) -> None:
    answer = client.get("/static/css/site.css", headers=GZIP | {"Range": "bytes=10-19"})
    assert answer.status_code == 206 and answer.data == SITE_CSS[10:20] and "Content-Encoding" not in answer.headers


def test_no_page_is_compressed(client: FlaskClient, staff: FlaskClient) -> None:
    for answer in (client.get("/submit", headers=GZIP), staff.get("/dashboard", headers=GZIP)):
        assert answer.status_code == 200 and "Content-Encoding" not in answer.headers


def test_a_module_has_one_address_so_that_it_runs_once(app: Flask) -> None:
    scripts = ROOT / "static" / "js"
    imported = imported_modules(scripts)
    assert {scripts / "live.js", scripts / "staff.js"} <= imported and scripts / "bench.js" not in imported
    lines = [line for path in scripts.glob("*.js") for line in path.read_text("utf-8").splitlines()]
    assert all(IMPORT.search(line) for line in lines if re.match(r"\s*(import|export .* from)\b", line))
    with app.test_request_context():
        for path in scripts.glob("*.js"):
            assert ("?v=" in url_for("static", filename=f"js/{path.name}")) is (path not in imported)


def test_below_a_path_the_addresses_lead_there(app: Flask) -> None:
    with app.test_request_context("/", environ_overrides={"SCRIPT_NAME": "/print"}):
        assert url_for("static", filename="css/site.css").startswith("/print/static/css/site.css?v=")


def bytes_of(client: FlaskClient, path: str) -> int:
    """Of a page and all that it loads, without pictures of models, as they go over the wire."""
    html = client.get(path, headers=GZIP)
    assert html.status_code == 200
    total, waiting, seen = len(html.data), parts_of(html.text), set[str]()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address, headers=GZIP)
        assert answer.status_code == 200, address
        total += len(answer.data)
        is_compressed = answer.headers.get("Content-Encoding") == "gzip"
        text = (gzip.decompress(answer.data) if is_compressed else answer.data).decode()
        names = IMPORT.findall(text) if "javascript" in answer.headers["Content-Type"] else []
        if "css" in answer.headers["Content-Type"]:
            names = [name for name in re.findall(r'url\("?([^")]+)', text) if not name.startswith("data:")]
        waiting += [urljoin(address, name) for name in names]
    assert len(seen) > 4
    return total


def test_a_page_is_a_hundred_kilobytes_at_most(client: FlaskClient, staff: FlaskClient, make: MakeJob) -> None:
    jobs = [make(status) for status in (Status.UPLOADED, Status.READY_TO_PRINT) for _ in range(6)]
    pages = {"/submit": client, "/dashboard": staff, f"/dashboard/jobs/{jobs[0].id}": staff, "/dashboard/queue": staff}
    sizes = {path: bytes_of(browser, path) for path, browser in pages.items()}
    assert max(sizes.values()) <= MOST_BYTES, sizes
