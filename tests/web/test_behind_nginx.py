"""Behind the real nginx, over HTTPS, with the configurations of docs/deploy.md: at the root, and below a path."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from printsys.config import ROOT
from printsys.services import Services
from printsys.web import create_app
from printsys.web.live import EXTENSION as LIVE
from printsys.web.server import PageServer
from tests.factories import FORM, STL
from tests.running_system import free_port
from tests.waiting import until
from tests.web.conftest import STAFF_PASSWORD, hidden_value, token_in
from tests.web.test_hostile_requests import AMBIGUOUS, BODIES, NO_REQUEST, everything_from, reached
from tests.web.test_server import status_of

__all__ = ["reached"]  # a fixture
pytestmark = [pytest.mark.needs("nginx"), pytest.mark.needs("openssl")]
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {server}
}}
"""


@dataclass
class Site:
    """The lab as a browser sees it: one that keeps cookies and does not follow redirects."""

    port: int
    prefix: str
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}{self.prefix}"

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=trusting())

    def socket(self) -> ssl.SSLSocket:
        """For bytes that no browser sends."""
        return trusting().wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=30))

    def open(self, method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPResponse:
        connection = self.connection()
        sent = {"Cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items()), "Referer": f"{self.url}/"} | headers
        connection.request(method, self.prefix + path, body, sent)
        answer = connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def page(self, path: str) -> str:
        return self.open("GET", path).read().decode()

    def log_in(self, password: str = STAFF_PASSWORD, **headers: str) -> http.client.HTTPResponse:
        values = {"csrf_token": token_in(self.page("/login")), "password": password, "next": "/dashboard/attention"}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.open("POST", "/login", urlencode(values).encode(), **form | headers)


def trusting() -> ssl.SSLContext:
    """The certificate is the test's own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def blocks() -> dict[str, str]:
    """The configurations of the page, by the word after their fence."""
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    return dict(re.findall(r"```(nginx[a-z-]*)\n(.*?)```", page, re.DOTALL))


@pytest.fixture(params=["", "/print"], ids=["at the root", "below a path"])
def site(request: pytest.FixtureRequest, services: Services, tmp_path: Path) -> Iterator[Site]:
    inside, outside = free_port(), free_port()
    settings = services.settings
    for name, value in (("trusted_proxies", 1), ("base_url", f"https://127.0.0.1:{outside}{request.param}")):
        object.__setattr__(settings, name, value)
    app = create_app(services)
    pages = PageServer(app, "127.0.0.1", inside, trusts_proxies=True)
    pages.start()
    folder = tmp_path / "nginx"
    folder.mkdir(mode=0o755)
    certificate = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=127.0.0.1", "-days", "1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *certificate]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    process = start_nginx(folder, configuration(folder, request.param, inside, outside))
    try:
        until(lambda: is_listening(folder, process))
        yield Site(outside, request.param)
    finally:
        process.terminate()
        process.wait(30)
        app.extensions[LIVE].stop()
        pages.stop()


def configuration(folder: Path, prefix: str, inside: int, outside: int) -> str:
    server = blocks()["nginx"]
    if prefix:
        server = server[: server.index("    location /")] + blocks()["nginx-path"] + "}"
    server = server.replace("listen 443 ssl", f"listen 127.0.0.1:{outside} ssl").replace(":5000", f":{inside}")
    server = re.sub(r"(ssl_certificate\s+)\S+;", rf"\1{folder}/cert.pem;", server)
    server = re.sub(r"(ssl_certificate_key\s+)\S+;", rf"\1{folder}/key.pem;", server)
    return NGINX.format(folder=folder, server=server)


def start_nginx(folder: Path, text: str) -> subprocess.Popen[bytes]:
    (folder / "nginx.conf").write_text(text, "utf-8")
    return subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])


def is_listening(folder: Path, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, (folder / "error.log").read_text("utf-8")
    return (folder / "nginx.pid").exists()


def test_a_request_is_submitted_and_links_lead_back_through_the_proxy(site: Site, services: Services) -> None:
    html = site.page("/submit")
    assert f'action="{site.prefix}/submit' in html and f'href="{site.prefix}/static/css/site.css' in html
    values = FORM | {"csrf_token": token_in(html), "submission": hidden_value(html, "submission")}
    model = FileStorage(io.BytesIO(STL + b"\n" * (3 << 20)), "large.stl")
    boundary, body = encode_multipart(MultiDict(values | {"file": model}))
    answer = site.open("POST", "/submit", body, **{"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert answer.status == 303
    location = answer.headers["Location"]
    assert location.startswith(f"{site.prefix}/submit/success?job=")
    success = site.page(location.removeprefix(site.prefix))
    assert f'href="{site.prefix}/status/' in success
    assert len(list(services.store.ids())) == 1


def test_staff_log_in_and_come_to_where_they_wanted(site: Site) -> None:
    asked = site.open("GET", "/dashboard/attention")
    assert asked.status == 302 and asked.headers["Location"].startswith(
        f"{site.prefix}/login?next=/dashboard/attention"
    )
    answer = site.log_in()
    assert answer.status == 303 and answer.headers["Location"] == f"{site.prefix}/dashboard/attention"
    assert all("Secure" in cookie for cookie in answer.headers.get_all("Set-Cookie", []))
    page = site.open("GET", "/dashboard/attention")
    assert page.status == 200 and page.headers["Strict-Transport-Security"]
    assert f'data-root="{site.prefix}"' in page.read().decode()


def test_the_live_refresh_is_not_held_back(site: Site) -> None:
    site.log_in()
    stream = site.open("GET", "/dashboard/live")
    assert stream.status == 200 and stream.readline() == b"retry: 2000\n"
    stream.close()


def test_each_student_has_an_address_and_nobody_chooses_it(site: Site) -> None:
    """What a client writes into X-Forwarded-For stands before the proxy's own word, and counts for nothing."""
    codes = [site.log_in("wrong", **{"X-Forwarded-For": f"10.0.0.{number}"}).status for number in range(11)]
    assert codes == [401] * 10 + [429]


@pytest.mark.parametrize("site", [""], indirect=True, ids=["at the root"])
def test_no_request_slips_past_the_proxy_in_the_body_of_another(site: Site, reached: list[str]) -> None:
    """Where nginx and waitress read the same bytes as different requests, one of them would be nobody's."""
    for name, payload in {**AMBIGUOUS, **NO_REQUEST}.items():
        with site.socket() as connection:
            with contextlib.suppress(OSError):  # it may hang up before all is sent
                connection.sendall(payload)
            answer = everything_from(connection)
        if reached:  # nginx takes a lone line feed for the end of a line, and writes each request anew
            assert len(reached) == answer.count(b"HTTP/1.1 "), name
            reached.clear()
        else:
            assert not answer or status_of(answer) in (400, 414, 501), (name, answer[:100])
    assert site.open("GET", "/submit").status == 200


@pytest.mark.parametrize("site", [""], indirect=True, ids=["at the root"])
def test_absurd_bodies_are_refused_through_the_proxy(site: Site) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    for name in ("100,000 files", "100,000 fields", "a field of megabytes"):
        assert site.open("POST", "/submit", BODIES[name], **kind).status == 413, name
    assert site.open("GET", "/submit").status == 200
