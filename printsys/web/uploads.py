"""Where the files of a request go: which pages take any, how many, and how large."""

from __future__ import annotations

import re
from typing import IO, Any, cast

from flask import Flask, Request, current_app
from werkzeug.exceptions import RequestEntityTooLarge

from printsys.assessment.upload_checker import UploadChecker
from printsys.jobstore.arriving import ArrivalFolder, ArrivingFile, arrivals_in_staging
from printsys.web import services
from printsys.web.form_reader import FormParser, FormReader

ARRIVALS = "arrivals"
UPLOAD_CHECKER = "upload_checker"
TAKES_MODELS = re.compile(r"/(submit|submit/check|resubmit/[^/]+|dashboard/new)/?$")
"""Paths, behind a proxy with a prefix."""
MOST_FIELDS = 40
"""Of a form with files, beside these. No page of ours has as many."""
ONLY_CHECKS = re.compile(r"/submit/check/?$")


class FormFiles:
    """The files of one request to `path`: one after the other, as many as the lab takes at once."""

    def __init__(self, app: Flask, path: str) -> None:
        self._limits = app.extensions[services.EXTENSION].lab.submission
        self._folder: ArrivalFolder = app.extensions[ARRIVALS]
        self._takes_files = TAKES_MODELS.search(path) is not None
        if ONLY_CHECKS.search(path):
            checker: UploadChecker = app.extensions[UPLOAD_CHECKER]
            self._folder = checker.arrivals
        self._count = 0

    def add(self, file_name: str | None) -> ArrivingFile:
        """Of a file too many or without a name, and where a page takes none, nothing is kept."""
        self._count += bool(file_name)
        is_wanted = self._takes_files and bool(file_name) and self._count <= self._limits.max_files
        return ArrivingFile(self._folder, self._limits.max_file_bytes if is_wanted else 0)


class FormRequest(Request):
    """A request whose form the server may have read already, as it came."""

    _form_files: FormFiles | None = None

    def __init__(self, environ: dict[str, Any], *rest: Any, **options: Any) -> None:
        super().__init__(environ, *rest, **options)
        self._arriving: list[ArrivingFile] = []

    def _load_form_data(self) -> None:
        reader = self.environ["wsgi.input"]
        if "form" in self.__dict__ or not isinstance(reader, FormReader):
            super()._load_form_data()
            return
        if len(reader) > (self.max_content_length or 0):
            raise RequestEntityTooLarge
        self.__dict__["stream"] = reader
        self.__dict__["form"], self.__dict__["files"] = reader.form()

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        self._form_files = self._form_files or FormFiles(current_app, self.path)
        self._arriving.append(self._form_files.add(filename))
        return cast(IO[bytes], self._arriving[-1])

    def close(self) -> None:
        super().close()
        for file in self._arriving:
            file.close()


def parser_for(app: Flask, path: str, boundary: bytes) -> FormParser:
    """For the body of a form that comes to `path`."""
    config = app.config
    return FormParser(boundary, config["MAX_FORM_MEMORY_SIZE"], config["MAX_FORM_PARTS"], FormFiles(app, path).add)


def init(app: Flask) -> None:
    app.extensions[ARRIVALS] = arrivals_in_staging(app.extensions[services.EXTENSION].store)
    app.request_class = FormRequest
