"""The files of a form: how many, how large, and whether they are what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, cast

from werkzeug.datastructures import FileStorage

from printsys.assessment.upload_checker import sha256_of
from printsys.config import Lab
from printsys.errors import FileRefused, InvalidInput
from printsys.jobstore import IncomingFile
from printsys.models3d.sniff import check_model


def incoming_files(uploads: Sequence[FileStorage], lab: Lab) -> list[IncomingFile]:
    """The files to store. InvalidInput has a sentence for each that cannot be taken."""
    if not uploads:
        raise InvalidInput({"file": ["Please choose your model file."]})
    limit = lab.submission.max_files
    if len(uploads) > limit:
        raise InvalidInput({"file": [f"Please send at most {limit} files at once; these are {len(uploads)}."]})
    if sentences := [sentence for file in uploads if (sentence := _refusal(file, lab))]:
        raise InvalidInput({"file": sentences})
    return [IncomingFile(file.filename or "", file.stream) for file in uploads]  # type: ignore[arg-type]


def digests(uploads: Sequence[FileStorage]) -> list[tuple[str, str]]:
    """(name, sha256) of each file; the streams are left at their start."""
    pairs = []
    for file in uploads:
        if file.filename:
            file.stream.seek(0)
            pairs.append((file.filename, sha256_of(cast(BinaryIO, file.stream))))
    return pairs


def _refusal(file: FileStorage, lab: Lab) -> str | None:
    name = file.filename or ""
    if getattr(file.stream, "too_large", False):
        return (
            f"{name} is larger than {lab.submission.max_file_mb} MB. Please simplify the model or split it into parts."
        )
    try:
        check_model(name, file.stream, lab.submission.max_file_bytes, lab.submission.extensions)  # type: ignore[arg-type]
    except FileRefused as refused:
        return str(refused)
    file.stream.seek(0)
    return None
