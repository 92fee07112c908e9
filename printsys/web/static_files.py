"""Style sheets, scripts and drawings: sent compressed, and kept by browsers until they change.

Only these. A page with a token is never compressed: its size would tell, guess by guess, what is in it (BREACH).
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask, Response, request, send_from_directory
from werkzeug.security import safe_join

from printsys.services import Services
from printsys.web.accent import style_sheet
from printsys.web.logo import Logo, LogoUnreadable, read_logo
from printsys.web.services import EXTENSION

OWN, OF_BOOTSTRAP = "static", "bootstrap.static"
"""Endpoints."""
COMPRESSED = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
IMPORT = re.compile(r"""(?:from|import) "\./([^"]+)";""")
FOREVER = "public, max-age=31536000, immutable"
VERSION_DIGITS = 8
LAB_SHEET, LAB_LOGO = "css/lab.css", "lab-logo.png"
"""Made of what lab.toml says; there only where it names a color, or a picture."""
logger = logging.getLogger(__name__)


class _Made(NamedTuple):
    """What lies in no folder."""

    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class StaticFiles:
    """Those of the pages, and those of Bootstrap-Flask, by endpoint."""

    def __init__(self, app: Flask) -> None:
        own, bootstrap = Path(str(app.static_folder)), Path(str(app.blueprints["bootstrap"].static_folder))
        self.folders = {OWN: own, OF_BOOTSTRAP: bootstrap}
        self._imported = imported_modules(own / "js")
        services: Services = app.extensions[EXTENSION]
        self.logo = _logo_of(services)
        self._made = dict[str, _Made]()
        if accent := services.lab.about.accent:
            self._made[LAB_SHEET] = _Made(style_sheet(accent).encode(), "text/css")
        if self.logo is not None:
            self._made[LAB_LOGO] = _Made(self.logo.png, "image/png")

    def add_version(self, endpoint: str, values: dict[str, Any]) -> None:
        """To an address; not to that of a module which others import by its bare name: a browser would run it twice."""
        if endpoint == OWN and (made := self._made.get(values.get("filename", ""))) is not None:
            values.setdefault("v", made.digest[:VERSION_DIGITS])
        folder = self.folders.get(endpoint)
        path = folder and _file_in(folder, values.get("filename", ""))
        if path and path not in self._imported:
            values.setdefault("v", _digest_of(path)[:VERSION_DIGITS])

    def send(self, filename: str) -> Response:
        endpoint = str(request.endpoint)
        folder = self.folders[endpoint]
        path = _file_in(folder, filename)
        if endpoint == OWN and (made := self._made.get(filename)) is not None:
            return _kept(_whole(made.data, made.media_type, made.digest), made.digest)
        if path is None:
            return send_from_directory(folder, filename)  # which says 404
        digest, media_type = _digest_of(path), COMPRESSED.get(path.suffix)
        if media_type and "Range" not in request.headers and request.accept_encodings.quality("gzip") > 0:
            response = _whole(_gzipped(path, digest), media_type, f"{digest}-gzip")
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = send_from_directory(folder, filename, mimetype=media_type, etag=digest)
        if media_type:
            response.vary.add("Accept-Encoding")
        return _kept(response, digest)


def _logo_of(services: Services) -> Logo | None:
    """None, too, where it cannot be read: the pages are there without it."""
    path = services.lab.about.logo_file(services.settings.lab_config)
    try:
        return read_logo(path) if path is not None else None
    except LogoUnreadable as problem:
        logger.warning("the pages have no logo: %s", problem)
        return None


@cache
def imported_modules(folder: Path) -> frozenset[Path]:
    """The scripts in `folder` that other scripts there import."""
    texts = [path.read_text("utf-8") for path in folder.glob("*.js")]
    return frozenset(folder / name for text in texts for name in IMPORT.findall(text))


def init(app: Flask) -> None:
    """After Bootstrap-Flask."""
    files = StaticFiles(app)
    app.url_defaults(files.add_version)
    for endpoint in files.folders:
        app.view_functions[endpoint] = files.send
    app.jinja_env.globals["lab_logo"] = files.logo


def _whole(data: bytes, media_type: str, etag: str) -> Response:
    response = Response(data, mimetype=media_type)
    response.set_etag(etag)
    response.make_conditional(request)
    return response


def _kept(response: Response, digest: str) -> Response:
    is_of_this_version = request.args.get("v") == digest[:VERSION_DIGITS]
    response.headers["Cache-Control"] = FOREVER if is_of_this_version else "no-cache"
    return response


def _file_in(folder: Path, filename: str) -> Path | None:
    path = safe_join(str(folder), filename)
    return Path(path) if path and Path(path).is_file() else None


def _digest_of(path: Path) -> str:
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@cache
def _digest(path: Path, _size: int, _mtime_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _gzipped(path: Path, _digest: str) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)
