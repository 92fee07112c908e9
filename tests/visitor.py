"""A browser without a screen, for where no real one runs: cookies, pages, and forms with their hidden fields."""

from __future__ import annotations

import http.cookiejar
import io
import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

PATIENCE_S = 120


class Visitor:
    """`get` and `send` return the page that the system answers with in the end; `url` is that page's."""

    def __init__(self, site: str) -> None:
        self.site = self.url = site
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)

    def get(self, path: str) -> str:
        return self._open(urllib.request.Request(urllib.parse.urljoin(self.site, path)))

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def send(self, page: str, path: str, fields: Mapping[str, Any]) -> str:
        """Fill in the form on `page` that goes to `path`."""
        hidden = _Forms(self.get(page), page).hidden
        values = {**hidden[path], **fields}
        boundary, body = encode_multipart(values)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Referer": self.url}
        return self._open(urllib.request.Request(urllib.parse.urljoin(self.site, path), body, headers))

    def log_in(self, password: str) -> None:
        self.send("/login", "/login", {"password": password})
        assert not self.url.endswith("/login"), "the password is wrong"

    def act(self, job_id: str, action: str, **fields: Any) -> str:
        """What staff do on the job's page."""
        page = f"/dashboard/jobs/{job_id}"
        return self.send(page, f"{page}/{action}", fields)

    def submit(self, form: Mapping[str, Any], name: str, model: bytes) -> str:
        """Hand a model in as a student does; the job's id."""
        page = self.send("/submit", "/submit", {**form, "file": FileStorage(io.BytesIO(model), name)})
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.url).query)
        assert "/submit/success" in self.url, page
        return query["job"][0]

    def _open(self, request: urllib.request.Request) -> str:
        with self._opener.open(request, timeout=PATIENCE_S) as answer:
            self.url = answer.url
            return str(answer.read().decode("utf-8"))


class _Forms(HTMLParser):
    """The hidden fields of each form that is posted, by the address that it goes to."""

    def __init__(self, html: str, own_address: str) -> None:
        super().__init__()
        self.own_address = own_address
        self.hidden: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = {}
            if attributes.get("method", "").lower() == "post":
                address = attributes.get("action", "").partition("#")[0]
                self.hidden[address or self.own_address] = self._fields
        elif tag == "input" and attributes.get("type") == "hidden":
            self._fields[attributes["name"]] = attributes.get("value", "")
