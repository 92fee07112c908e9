"""The files of a form: how many, how large, and whether they are what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, cast

from werkzeug.datastructures import FileStorage

from printsys.config import Lab
from printsys.domain.words import counted
from printsys.errors import FileRefused, InvalidInput
from printsys.jobstore import IncomingFile
from printsys.jobstore.arriving import ArrivingFile
from printsys.models3d.sniff import check_model


def incoming_files(uploads: Sequence[FileStorage], lab: Lab) -> list[IncomingFile]:
    """The files to store. InvalidInput has a sentence for each that cannot be taken."""
    if not uploads:
        raise InvalidInput({"file": ["Please choose your model file."]})
    limit = lab.submission.max_files
    if len(uploads) > limit:
        raise InvalidInput(
            {"file": [f"Please send at most {counted(limit, 'file')} at once; these are {len(uploads)}."]}
        )
    if sentences := [sentence for file in uploads if (sentence := _refusal(file, lab))]:
        raise InvalidInput({"file": sentences})
    return [IncomingFile(file.filename or "", arriving(file)) for file in uploads]


def arriving(file: FileStorage) -> ArrivingFile:
    return cast(ArrivingFile, file.stream)


def digests(uploads: Sequence[FileStorage]) -> list[tuple[str, str]]:
    """(name, sha256) of each file."""
    return [(file.filename, arriving(file).sha256) for file in uploads if file.filename]


def _refusal(file: FileStorage, lab: Lab) -> str | None:
    name, stream = file.filename or "", arriving(file)
    if stream.error is not None:  # our disk's, not the student's
        return None
    if stream.is_too_large:
        return (
            f"{name} is larger than {lab.submission.max_file_mb} MB. Please simplify the model or split it into parts."
        )
    try:
        check_model(name, cast(BinaryIO, stream), lab.submission.max_file_bytes, lab.submission.extensions)
    except FileRefused as refused:
        return str(refused)
    return None
