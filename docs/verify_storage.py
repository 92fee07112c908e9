#!/usr/bin/env python3
"""Verify a print lab's storage folder without the print lab's system: one file, Python 3.9 or newer, nothing else.

    python verify_storage.py [STORAGE] [--json] [--quick]

Copy this file beside the storage folder, or name the folder. It reads every job: the chain of its log, the state after
each change, metadata.json byte for byte, each file's size and hash, where the folder lies, and what .printsys/ says. It
never writes and never follows a link inside storage. docs/format.md describes the format.

Exit code 0: clean (there may be remarks), 1: findings, 2: could not run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, NamedTuple, NoReturn

STATUSES = (
    "Uploaded", "Pending", "ReadyToPrint", "Printing", "Completed", "PaidPickedUp", "Rejected", "Archived",
)  # fmt: skip
SYSTEM = ".printsys"
DOCUMENT_LIMIT = LINE_LIMIT = 8 << 20
"""Bytes. Neither metadata.json nor a line of a log is ever larger."""
BATCH_LIMIT = 64 << 20
"""Bytes of events without the one that ends their batch."""
DEPTH_LIMIT = 60
CHUNK = 1 << 20
NEVER_DECIDED = 1 << 62
"""The event of an announced move whose intent cannot be read: the move never began."""


# -- the schema -------------------------------------------------------------------------------------------------------


class Shape:
    """An object of metadata.json: its keys in the order in which they are written; `!` marks those that must be there.

    A value is text, if `kinds` does not say otherwise: by another name of `is_of_kind`, by a Shape, or by a list of one
    of these.
    """

    def __init__(self, keys: str, **kinds: Any) -> None:
        self.required = {key[:-1] for key in keys.split() if key.endswith("!")}
        self.kinds: dict[str, Any] = {key: kinds.get(key, "text") for key in keys.replace("!", "").split()}


STUDENT = Shape("name! email discipline class_number")
REQUEST = Shape(
    "method! color printer minimum_charge_consent copies due_date message",
    minimum_charge_consent="boolean",
    copies="integer",
)
FILE = Shape(
    "name! role! size! sha256! added_at! source! model slicer uploaded_as",
    role="role",
    size="integer",
    added_at="time",
    model="object",
    slicer="object",
)
AMOUNTS = {"weight_g": "amount", "volume_ml": "amount", "time_h": "amount", "cost": "amount", "amount": "amount"}
PART = Shape("file! weight_g volume_ml time_h", **AMOUNTS)
ESTIMATE = Shape("material weight_g volume_ml time_h cost source parts", **AMOUNTS, parts=[PART])
TIMES = {"sent_at": "time", "expires_at": "time", "confirmed_at": "time", "at": "time"}
CONFIRMATION = Shape("nonce sent_at expires_at confirmed_at confirmed_by", **TIMES)
REJECTION = Shape("reasons comment at by", **TIMES, reasons=["text"])
PAYMENT = Shape("amount! method transaction weight_g picked_up_by at by", **AMOUNTS, **TIMES)
JOB = Shape(
    "schema_version! id! revision! status! status_since! created_at! updated_at! student! request! files print_files "
    "estimate confirmation rejection payment reviewed_at notes",
    schema_version="integer",
    revision="integer",
    status="status",
    status_since="time",
    created_at="time",
    updated_at="time",
    student=STUDENT,
    request=REQUEST,
    files=[FILE],
    print_files=["text"],
    estimate=ESTIMATE,
    confirmation=CONFIRMATION,
    rejection=REJECTION,
    payment=PAYMENT,
    reviewed_at="time",
)


def is_of_kind(value: Any, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in ("boolean", "object"):
        return isinstance(value, bool if kind == "boolean" else dict)
    if not isinstance(value, str):
        return False
    if kind == "role":
        return value in ("original", "working", "slicer", "other")
    if kind == "status":
        return value in STATUSES
    if kind == "time":
        return is_time(value)
    return kind == "text" or is_amount(value)


def is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text[:-1])
    except ValueError:
        return False
    return text.endswith("Z")


def is_amount(text: str) -> bool:
    try:
        return Decimal(text.strip()).is_finite()
    except InvalidOperation:
        return False


def schema_problem(value: Any, kind: Any, path: str = "") -> str | None:
    """The first place at which a document is not what the schema says, or None. Null and absent mean the same."""
    inner_path = f"{path}." if path else ""
    if isinstance(kind, Shape):
        if not isinstance(value, dict):
            return f"{path} is not an object"
        absent = [key for key in kind.kinds if key in kind.required and value.get(key) is None]
        if absent:
            return f"{inner_path}{absent[0]} is missing"
        items = [
            (value[key], inner, inner_path + key) for key, inner in kind.kinds.items() if value.get(key) is not None
        ]
    elif isinstance(kind, list):
        if not isinstance(value, list):
            return f"{path} is not a list"
        items = [(item, kind[0], f"{inner_path}{number}") for number, item in enumerate(value)]
    else:
        return None if is_of_kind(value, kind) else f"{path} is no {kind}"
    return next((problem for item in items if (problem := schema_problem(*item)) is not None), None)


def canonical(value: Any, kind: Any) -> Any:
    """As it is written: known keys in schema order, absent ones as null, unknown ones after them unless null."""
    if isinstance(kind, Shape) and isinstance(value, dict):
        ordered = {key: canonical(value.get(key), inner) for key, inner in kind.kinds.items()}
        unknown = ((key, item) for key, item in value.items() if key not in kind.kinds and item is not None)
        ordered.update((key, without_nulls(item)) for key, item in unknown)
        return ordered
    if isinstance(kind, list) and isinstance(value, list):
        return [canonical(item, kind[0]) for item in value]
    return without_nulls(value)


def without_nulls(value: Any) -> Any:
    """Objects at any depth without their nulls; lists stay whole."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


# -- JSON from strangers ----------------------------------------------------------------------------------------------


class Unreadable(Exception):
    """Bytes that are not what the format says; the message ends a sentence."""


def refuse(problem: str) -> NoReturn:
    raise Unreadable(problem)


def whole_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else refuse("a key is there twice")


def finite(token: str) -> float:
    number = float(token)
    return number if math.isfinite(number) else refuse(f"{token[:40]} is too large a number")


def integer(token: str) -> int:
    return int(token) if len(token) <= 40 else refuse("a number is too long")


DECODER = json.JSONDecoder(
    object_pairs_hook=whole_object,
    parse_float=finite,
    parse_int=integer,
    parse_constant=lambda token: refuse(f"{token} is not a number that JSON has"),
)
encode_text = json.encoder.encode_basestring
ENCODER = json.JSONEncoder(ensure_ascii=False, indent=2, allow_nan=False)
BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def decode(data: bytes) -> dict[str, Any]:
    """The object that `data` holds. Unreadable."""
    mark, encoding = next((pair for pair in BYTE_ORDER_MARKS if data.startswith(pair[0])), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
        value = DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        refuse(f"it is not {encoding} text")
    except UnicodeEncodeError:
        refuse("a character is written with half of its code")
    except RecursionError:
        refuse("its brackets are nested too deep")
    except ValueError as error:
        refuse(f"it is not JSON ({error})")
    if not isinstance(value, dict):
        refuse("it is not an object in { }")
    if text.count("{") + text.count("[") > DEPTH_LIMIT and depth(value) > DEPTH_LIMIT:
        refuse("its brackets are nested too deep")
    return value


def depth(value: Any) -> int:
    levels, containers = 0, [value]
    while containers:
        levels += 1
        items = (item for outer in containers for item in (outer.values() if isinstance(outer, dict) else outer))
        containers = [item for item in items if isinstance(item, (dict, list))]
    return levels


# -- the log ----------------------------------------------------------------------------------------------------------


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, change in patch.items():
        if change is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), change)
    return merged


class Fold:
    """The document that patches lead to, and its text: of a value that no patch touches, the text is made once."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}
        self._texts: dict[str, str] = {}

    def add(self, patch: dict[str, Any]) -> None:
        for key, change in patch.items():
            self._texts.pop(key, None)
            if change is None:
                self.document.pop(key, None)
            else:
                self.document[key] = merge_patch(self.document.get(key), change)

    def metadata(self) -> bytes:
        """metadata.json, as the system writes it."""
        unknown = [key for key in self.document if key not in JOB.kinds]
        return ("{\n  " + ",\n  ".join(map(self._text, [*JOB.kinds, *unknown])) + "\n}\n").encode()

    def _text(self, key: str) -> str:
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = f"{encode_text(key)}: {self._value(key)}"
        return text

    def _value(self, key: str) -> str:
        value = self.document.get(key)
        if isinstance(value, str):
            return encode_text(value)
        if isinstance(value, (dict, list)):
            return ENCODER.encode(canonical(value, JOB.kinds.get(key))).replace("\n", "\n  ")
        return "null" if value is None else ENCODER.encode(value)


NAMING_KEYS = {"JobCreated": "folder", "FolderRenamed": "to"}
"""Where in the `data` of an event the name of the job's folder stands."""


class Log:
    """A log as far as it is whole: `seq` and `type` of its last finished event, the states that its batches name.

    `damage`: which line somebody edited, removed or doubled. `is_torn`: an unfinished write follows the last batch.
    `differing`: the events whose state is not what folding gives.
    """

    def __init__(self) -> None:
        self.fold = Fold()
        self.seq, self.type = 0, ""
        self.folder_name: Any = None
        """As the system made it, or as it saw somebody rename it."""
        self.digests: list[str] = []
        """sha256 of each line."""
        self.states: list[str] = []
        self.differing: list[int] = []
        self.is_torn = False
        self.damage: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        return self.fold.document

    def add_batch(self, batch: list[tuple[str, dict[str, Any]]]) -> None:
        """Events, each with the sha256 of its line."""
        for digest, event in batch:
            self.digests.append(digest)
            self.fold.add(event.get("patch", {}))
            if event["type"] in NAMING_KEYS:
                self.folder_name = event.get("data", {}).get(NAMING_KEYS[event["type"]])
        last = batch[-1][1]
        self.seq, self.type, state = last["seq"], last["type"], last["state"]
        self.states.append(state)
        if sha256(self.fold.metadata()) != state or self.document.get("revision") != self.seq:
            self.differing.append(self.seq)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_log(file: BinaryIO) -> Log:
    """A batch without its last event's `state` was never finished: such lines at the end are torn, not damaged, and so
    is a line that the system may have been writing."""
    log, batch, batch_size = Log(), [], 0
    last_digest: str | None = None
    broken: tuple[int, str] | None = None
    rest = bytearray()
    for number, raw in enumerate(iter(lambda: file.readline(LINE_LIMIT + 1), b""), 1):
        if broken is None:
            try:
                last_digest, event = next_event(raw, number, last_digest)
                batch.append((last_digest, event))
                batch_size += len(raw)
                if event.get("state") is not None:
                    log.add_batch(batch)
                    batch, batch_size = [], 0
                elif batch_size > BATCH_LIMIT:
                    refuse("no end of its batch follows")
            except Unreadable as error:
                broken = number, str(error)
                batch = []
        if broken is not None:
            rest += raw
            if len(rest) > LINE_LIMIT:
                break
    if broken is not None and not may_be_torn(bytes(rest), broken[0]):
        log.damage = f"line {broken[0]} breaks the record: {broken[1]}"
    log.is_torn = log.damage is None and (broken is not None or bool(batch))
    return log


def may_be_torn(rest: bytes, number: int) -> bool:
    """Whether the machine may have stopped while it wrote line `number`: it begins as the system's do and has no line
    end, or blocks of it are zeros. Blank lines lose nothing."""
    if not rest.strip():
        return True
    if len(rest) > LINE_LIMIT:
        return False
    beginning, written = b'{"seq":%d,' % number, rest.rstrip(b"\0")
    if b"\n" not in written and (written.startswith(beginning) or beginning.startswith(written)):
        return True
    finished = any(line.endswith(b"\n") and b'"state":"' in line for line in rest.splitlines(keepends=True))
    return b"\0" in rest and not finished


def next_event(raw: bytes, number: int, last_digest: str | None) -> tuple[str, dict[str, Any]]:
    """The hash of a line, and its event. Unreadable where it does not follow on the line before."""
    if len(raw) > LINE_LIMIT:
        refuse(f"it is longer than {LINE_LIMIT >> 20} MB")
    if not raw.endswith(b"\n"):
        refuse("it has no line end")
    line = raw.rstrip(b"\r\n")
    if number == 1 and line.startswith(b"\xef\xbb\xbf"):
        line = line[3:]
    event = decode(line)
    if not is_event(event):
        refuse("it is no event")
    if event["seq"] != number:
        refuse(f"it has seq {event['seq']}: a line is missing or doubled before it")
    if event.get("prev") != last_digest:
        refuse("the line before it was changed")
    return sha256(line), event


def is_event(event: dict[str, Any]) -> bool:
    """`data` and `patch` may be absent, `prev` and `state` may be null besides."""
    return (
        is_of_kind(event.get("seq"), "integer")
        and is_of_kind(event.get("at"), "time")
        and isinstance(event.get("type"), str)
        and isinstance(event.get("actor"), str)
        and isinstance(event.get("data", {}), dict)
        and isinstance(event.get("patch", {}), dict)
        and isinstance(event.get("prev", ""), (str, type(None)))
        and isinstance(event.get("state", ""), (str, type(None)))
    )


def same_document(metadata: bytes | None, log: Log) -> bool:
    """Whether they say the same, in whatever order of keys."""
    try:
        return bool(without_nulls_anywhere(decode(metadata or b"")) == without_nulls_anywhere(log.document))
    except Unreadable:
        return False


def without_nulls_anywhere(value: Any) -> Any:
    if isinstance(value, list):
        return [without_nulls_anywhere(item) for item in value]
    if isinstance(value, dict):
        return {key: without_nulls_anywhere(item) for key, item in value.items() if item is not None}
    return value


# -- files that may be anything ---------------------------------------------------------------------------------------

OPEN_FLAGS = (
    os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
)  # fmt: skip
"""A FIFO is opened without waiting for its writer, and then refused."""


def open_regular(path: str) -> BinaryIO:
    """Unreadable for anything but a regular file; FileNotFoundError."""
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            refuse("it is a link")
        descriptor = os.open(path, OPEN_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        refuse(f"it cannot be opened ({error.strerror})")
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    refuse("it is no regular file")


def read_document(path: str) -> bytes | None:
    """All bytes of a small file; None where there is none. Unreadable."""
    try:
        with open_regular(path) as file:
            data = file.read(DOCUMENT_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        refuse(f"it cannot be read ({error.strerror})")
    return data if len(data) <= DOCUMENT_LIMIT else refuse(f"it is larger than {DOCUMENT_LIMIT >> 20} MB")


def entries_of(folder: str) -> list[os.DirEntry[str]]:
    """Nothing where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_text(name: str) -> bool:
    """Whether the bytes of a name are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


CLUTTER = (
    r"@eadir|@tmp|@recycle|@recently-snapshot|@sharesnap|@sharebin|#recycle|#snapshot|~snapshot|lost\+found"
    r"|network trash folder|temporary items|\$recycle\.bin|recycler|system volume information|thumbs\.db|ehthumbs\.db"
    r"|ehthumbs_vista\.db|photothumb\.db|desktop\.ini|icon\r|__macosx|\..*"
)
UNFINISHED = (
    r"~\$.*|~syncthing~.*|.*(\.tmp|\.temp|\.part|\.partial|\.filepart|\.crdownload|\.download|\.opdownload|\.!ut|\.!sync"
    r"|\.swp|\.swo|\.kate-swp|\.bak|~|\.lock|\.unison|\.textclipping)"
)
RECORD_COPY = re.compile(r"metadata[ \-_.(\[~].*\.json|events[ \-_.(\[~].*\.jsonl", re.IGNORECASE)
"""A second version of the record, which a sync program or a person left beside it."""
IGNORED = re.compile(
    rf"metadata\.json|events\.jsonl|job-card\.html|{RECORD_COPY.pattern}|{CLUTTER}|{UNFINISHED}",
    re.IGNORECASE | re.DOTALL,
)
"""Names that no job records: its record and card, hidden files, clutter of systems and NAS boxes, temporaries."""
CLUTTER_FOLDER = re.compile(CLUTTER, re.IGNORECASE | re.DOTALL)
NOTE = re.compile(rb"(([0-9]{10}) ([0-9a-f]{64}|-{64})) ([0-9a-f]{8})\n")
NAME_OF_NOTE = re.compile("[0-9a-z]+")
FOLDER_ID = re.compile(r"_([0-9abcdefghjkmnpqrstvwxyz]{8})\Z", re.IGNORECASE)


# -- one job ----------------------------------------------------------------------------------------------------------


class Finding(NamedTuple):
    """`kind` is a stable word, `job` an id where it is known, `path` relative to storage."""

    kind: str
    job: str | None
    path: str
    sentence: str


REMARKS = frozenset({"metadata-reformatted", "other-version", "folder-renamed", "not-recorded"})
"""Kinds that are worth a line and are allowed."""


class JobFolder:
    """One folder of a job, checked. `path` is relative to storage."""

    def __init__(self, storage: Storage, path: str, intents: dict[str, int]) -> None:
        self.path, self.is_quick, self.intents, self.notes = path, storage.is_quick, intents, storage.newest_event
        self.folder = os.path.join(storage.root, *path.split("/"))
        self.status, _, self.name = path.rpartition("/")
        self.job_id: str | None = None
        self.files = self.bytes = 0
        self._entries: list[os.DirEntry[str]] = []
        self.claim: tuple[bool, bool, bool, int, str] = (True, True, True, 0, self.path)
        """Of folders with one id, the job is the one with the least; all others are copies."""

    def check(self) -> list[Finding]:
        try:
            self._entries = entries_of(self.folder)
            return list(self._check())
        except OSError as error:
            return [self._finding("unreadable", f"it cannot be read ({error.strerror})")]

    def _finding(self, kind: str, sentence: str) -> Finding:
        return Finding(kind, self.job_id, self.path, sentence + ".")

    def _check(self) -> Iterator[Finding]:
        has_record = any(os.path.lexists(self._inside(name)) for name in ("metadata.json", "events.jsonl"))
        id_in_name = FOLDER_ID.search(self.name)
        if not has_record:
            jobs_inside = list(self._jobs_inside())
            if jobs_inside:
                yield from jobs_inside
            elif id_in_name is None:
                yield self._finding("not-a-job", "this folder has no record")
            else:
                yield self._finding("unreadable", "the record of this job is gone")
            return
        try:
            with open_regular(self._inside("events.jsonl")) as file:
                log = read_log(file)
            damage = None if log.seq else log.damage or "there is no finished event in it"
        except FileNotFoundError:
            log, damage = Log(), "it is gone"
        except Unreadable as error:
            log, damage = Log(), str(error)
        self.job_id = self._id(log)
        self.claim = self._claim(log)
        for entry in self._entries if self.job_id is not None else ():
            if RECORD_COPY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False) and is_text(entry.name):
                yield self._finding("record-conflict", f"{entry.name} is a second version of the record")
        if damage or log.damage:
            yield self._finding("log-damaged", f"events.jsonl: {damage or log.damage}")
        else:
            yield from self._record(log)

    def _inside(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _id(self, log: Log) -> str | None:
        """By the log or, where that is lost, by metadata.json."""
        job_id = log.document.get("id")
        if job_id is None:
            try:
                job_id = decode(read_document(self._inside("metadata.json")) or b"{}").get("id")
            except Unreadable:
                return None
        return job_id if isinstance(job_id, str) else None

    def _record(self, log: Log) -> Iterator[Finding]:
        if log.is_torn:
            yield self._finding("log-torn", "the last lines of events.jsonl were never finished")
        problem = schema_problem(log.document, JOB)
        if problem is not None:
            yield self._finding("unreadable", f"the log leads to no job: {problem}")
            return
        findings = list(self._metadata(log))
        if not any(finding.kind in ("log-cut", "log-inconsistent") for finding in findings):
            older = self._older_copy(log)
            findings = (
                [older] if older else [*findings, *self._location(log), *self._odd_entries(), *self._contents(log)]
            )
        yield from findings

    def _claim(self, log: Log) -> tuple[bool, bool, bool, int, str]:
        """It lacks the newest event, bears another name than the record has, lies elsewhere; then place and name."""
        note = self.notes(self.job_id or "")
        is_older = note is not None and log.seq < note[0]
        is_renamed = log.folder_name is not None and log.folder_name != self.name
        is_elsewhere = log.document.get("status") != self.status
        order = STATUSES.index(self.status) if self.status in STATUSES else len(STATUSES)
        return is_older, is_renamed, is_elsewhere, order, self.name

    def _older_copy(self, log: Log) -> Finding | None:
        """Whether the system has noted an event that this log does not have."""
        note = self.notes(self.job_id or "") if self.status in STATUSES else None
        if note is None:
            return None
        seq, digest = note
        if seq > log.seq:
            return self._finding("older-copy", f"this is an older copy: {seq - log.seq} events are missing at its end")
        if seq and digest not in (None, log.digests[seq - 1]):
            return self._finding("log-damaged", f"events.jsonl: line {seq} is not the one that the system wrote")
        return None

    def _metadata(self, log: Log) -> Iterator[Finding]:
        """metadata.json, and the state that the log leads to."""
        try:
            metadata = read_document(self._inside("metadata.json"))
        except Unreadable as error:
            yield from self._differing_states(log)
            yield self._finding("metadata-unreadable", f"metadata.json: {error}")
            return
        is_newest = metadata is not None and sha256(metadata) == log.states[-1]
        if log.differing == [log.seq] and is_newest and same_document(metadata, log):
            yield self._finding("other-version", "it was written by a version that orders the keys in another way")
            return
        yield from self._differing_states(log)
        if metadata is None:
            yield self._finding("metadata-gone", "metadata.json is gone; folding events.jsonl makes it again")
        elif not is_newest and sha256(metadata) in log.states:
            yield self._finding("metadata-behind", "metadata.json is older than events.jsonl")
        elif not is_newest:
            yield self._edited(log, metadata)

    def _differing_states(self, log: Log) -> Iterator[Finding]:
        if log.differing:
            events = ", ".join(map(str, log.differing[:5]))
            yield self._finding("log-inconsistent", f"folding does not lead to the state that event {events} names")

    def _edited(self, log: Log, metadata: bytes) -> Finding:
        """A metadata.json that no event names: a person's."""
        try:
            document = decode(metadata)
            problem = schema_problem(document, JOB)
        except Unreadable as error:
            problem = str(error)
        if problem is not None:
            return self._finding("metadata-unreadable", f"metadata.json: {problem}")
        if document["revision"] > log.seq:
            revision = document["revision"]
            return self._finding("log-cut", f"events.jsonl ends at {log.seq}, but metadata.json is at {revision}")
        edited, folded = canonical(document, JOB), canonical(log.document, JOB)
        keys = sorted(key for key in {*edited, *folded} if edited.get(key) != folded.get(key))
        if keys:
            return self._finding("metadata-edited", f"metadata.json was edited by hand: {', '.join(keys)}")
        return self._finding("metadata-reformatted", "metadata.json was edited, but only in its white space")

    def _location(self, log: Log) -> Iterator[Finding]:
        """Where the folder lies and what it is called, with what the record says."""
        status, is_deleted = log.document["status"], log.type == "JobDeleted"
        if self.status not in STATUSES:
            return
        announced = self.intents.get(self.job_id or "")
        if announced is not None and announced > log.seq:
            yield self._finding("intent-stale", "a move of this job was announced, but never decided")
        elif announced is not None:
            yield self._finding("move-pending", f"the folder is on its way to {status}")
        elif is_deleted:
            yield self._finding("deleted-here", "the job was deleted, but its folder is not in the trash")
        elif self.status != status:
            yield self._finding("moved-by-hand", f"the folder lies in {self.status}; its record says {status}")
        id_in_name = FOLDER_ID.search(self.name)
        if id_in_name is None:
            yield self._finding("folder-renamed", f"the folder's name does not end with the job's id {self.job_id}")
        elif id_in_name.group(1).lower() != self.job_id:
            yield self._finding(
                "folder-renamed", f"the folder's name ends with another id than the job's {self.job_id}"
            )

    # -- its files ------------------------------------------------------------------------------------------------

    def _odd_entries(self) -> Iterator[Finding]:
        """What no program can follow: special files, names that are no text, folders in a folder of the job's; and
        jobs in this one."""
        inner_folders = list(self._inner_folders())
        for entry in self._entries:
            is_usual = entry.is_symlink() or is_folder(entry) or entry.is_file(follow_symlinks=False)
            if not IGNORED.fullmatch(entry.name) and not (is_usual and is_text(entry.name)):
                yield self._finding("odd-file", f"{entry.name} is no ordinary file, or its name is no text")
        for inner in inner_folders:
            for entry in entries_of(inner.path):
                is_usual = entry.is_symlink() or entry.is_file(follow_symlinks=False)
                if not IGNORED.fullmatch(entry.name) and not (is_usual and is_text(entry.name)):
                    yield self._finding("odd-file", f"{inner.name}/{entry.name} is no ordinary file of the job")
        yield from self._jobs_inside()
        if not is_text(self.name):
            yield self._finding("odd-name", "the folder's name is no text")

    def _contents(self, log: Log) -> Iterator[Finding]:
        files, print_files = log.document.get("files", []), log.document.get("print_files", [])
        for file in files:
            kind, problem = self._file(file)
            if kind == "missing":
                if file["role"] == "original":
                    kind = "original-missing"
                else:
                    kind = "print-file-missing" if file["name"] in print_files else "file-missing"
            elif kind == "differs":
                kind = "original-altered" if file["role"] == "original" else "file-changed"
            if problem:
                yield self._finding(kind, f"{file['name']} {problem}")
        recorded = {file["name"] for file in files}
        for name in print_files:
            if name not in recorded and self._status_of(name) is None:
                yield self._finding("print-file-missing", f"{name} is gone")
        unrecorded = [name for name in self._names() if name not in recorded]
        if unrecorded:
            names = ", ".join(unrecorded[:5]) + (" …" if len(unrecorded) > 5 else "")
            yield self._finding("not-recorded", f"{len(unrecorded)} files are not in the record: {names}")

    def _file(self, file: dict[str, Any]) -> tuple[str, str]:
        """`missing` or `differs` and what is not as it was recorded; two empty texts where all is."""
        status = self._status_of(file["name"])
        if status is None:
            return "missing", "is gone, or no regular file of this job"
        self.files += 1
        self.bytes += status.st_size
        if status.st_size != file["size"]:
            return "differs", f"has {status.st_size} bytes; {file['size']} are recorded"
        if self.is_quick:
            return "", ""
        try:
            digest = hash_of(self._inside(os.path.join(*file["name"].split("/"))))
        except FileNotFoundError:
            return "missing", "is gone"
        except Unreadable as error:
            return "missing", f"cannot be read: {error}"
        return ("", "") if digest == file["sha256"] else ("differs", "has other bytes than those recorded")

    def _status_of(self, name: str) -> os.stat_result | None:
        """Of the regular file `name` inside the folder. No part of its path may be a link or lead out of it."""
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts) or (
            os.name == "nt" and set(name) & set(":\\")
        ):
            return None
        path = self.folder
        for number, part in enumerate(parts, 1):
            path = os.path.join(path, part)
            try:
                status = os.lstat(path)
            except (OSError, ValueError):
                return None
            if not (stat.S_ISREG if number == len(parts) else stat.S_ISDIR)(status.st_mode):
                return None
        return status

    def _names(self) -> Iterator[str]:
        """The files that belong to a job: beside the record, in original/, and in the folders that slicers made."""
        inner_names = [inner.name for inner in self._inner_folders()]
        for name in ("", "original", *inner_names):
            for entry in entries_of(self._inside(name)) if name else self._entries:
                is_file = entry.is_file(follow_symlinks=False) and is_text(entry.name)
                if is_file and not IGNORED.fullmatch(entry.name):
                    yield f"{name}/{entry.name}" if name else entry.name

    def _inner_folders(self, with_record: bool = False) -> Iterator[os.DirEntry[str]]:
        """Folders in the job's; `with_record`: those that are a job themselves."""
        for entry in self._entries:
            is_ours = entry.name in ("original", "previews", "aside")
            is_followed = not is_ours and is_text(entry.name) and not CLUTTER_FOLDER.fullmatch(entry.name)
            if is_folder(entry) and is_followed and holds_record(entry.path) == with_record:
                yield entry

    def _jobs_inside(self) -> Iterator[Finding]:
        names = ", ".join(inner.name for inner in self._inner_folders(with_record=True))
        if names:
            yield self._finding("job-inside", f"job folders lie in this one, where nothing follows them: {names}")


def holds_record(folder: str) -> bool:
    has_metadata = os.path.lexists(os.path.join(folder, "metadata.json")) and FOLDER_ID.search(folder) is not None
    return has_metadata or os.path.lexists(os.path.join(folder, "events.jsonl"))


def hash_of(path: str) -> str:
    """Unreadable, FileNotFoundError."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        try:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        except OSError as error:
            refuse(f"it cannot be read ({error.strerror})")
    return digest.hexdigest()


YEAR_LOG = re.compile(r"[0-9]{4}\.jsonl")


def pruned_job_problem(line: bytes, keys: set[Any]) -> str | None:
    """What is wrong with a line of a year's log; `keys` are those of the lines before, and get this one's. Part of a
    last line is what a write that never finished left, and nothing wrong."""
    try:
        job = decode(line)
    except Unreadable:
        return "is no JSON object" if line.endswith(b"\n") else None
    document, events = job.get("document"), job.get("events")
    if not isinstance(job.get("key"), str) or not isinstance(document, dict) or not isinstance(events, list):
        return "is no pruned job"
    if not is_of_kind(document.get("status"), "status") or not is_of_kind(document.get("created_at"), "time"):
        return "is no pruned job"
    if job["key"] in keys:
        return "has a job that an earlier line has"
    keys.add(job["key"])
    return None


# -- the whole storage ------------------------------------------------------------------------------------------------


class Storage:
    """`check()`, then read `jobs`, `deleted_jobs`, `files` and `bytes`: how much there was to verify."""

    def __init__(self, root: str, is_quick: bool = False) -> None:
        self.root, self.is_quick = root, is_quick
        self.jobs: dict[str, list[JobFolder]] = {}
        """The folders of each job, by its id: all but one are copies."""
        self.deleted_jobs = self.files = self.bytes = 0

    def check(self) -> list[Finding]:
        intents = self._intents()
        findings = list(self._status_folders(intents))
        copies = {finding.path: finding for finding in self._duplicates()}
        findings = [finding for finding in findings if finding.path not in copies]
        findings += [*copies.values(), *self._trash(), *self._stray_intents(intents)]
        return [*findings, *self._staging(), *self._missing(), *self._pruned()]

    def _status_folders(self, intents: dict[str, int]) -> Iterator[Finding]:
        for status in STATUSES:
            for entry in entries_of(os.path.join(self.root, status)):
                path = f"{status}/{entry.name}"
                if is_folder(entry) and not CLUTTER_FOLDER.fullmatch(entry.name):
                    folder, findings = self._job(path, intents)
                    yield from findings
                    if folder.job_id is not None:
                        self.jobs.setdefault(folder.job_id, []).append(folder)
                elif not is_folder(entry) and not IGNORED.fullmatch(entry.name):
                    yield Finding("loose-file", None, path, "this belongs to no job.")

    def _job(self, path: str, intents: dict[str, int]) -> tuple[JobFolder, list[Finding]]:
        """A folder with findings is read twice: the first time may have met a change under way."""
        folder = JobFolder(self, path, intents)
        findings = folder.check()
        if any(finding.kind not in REMARKS for finding in findings):
            folder = JobFolder(self, path, self._intents())
            findings = folder.check() if os.path.isdir(folder.folder) else []
        self.files += folder.files
        self.bytes += folder.bytes
        return folder, findings

    def _duplicates(self) -> Iterator[Finding]:
        """Copies of jobs. Nothing else is said of them."""
        for job_id, folders in self.jobs.items():
            job_folder = min(folders, key=lambda folder: folder.claim)
            for copy in folders:
                if copy is not job_folder:
                    yield Finding("duplicate", job_id, copy.path, f"this is a copy of the job in {job_folder.path}.")

    # -- .printsys/ -----------------------------------------------------------------------------------------------

    def _system(self, name: str) -> list[os.DirEntry[str]]:
        return entries_of(os.path.join(self.root, SYSTEM, name))

    def _intents(self) -> dict[str, int]:
        """Of each job with an announced move, the number of the event that decides it."""
        intents: dict[str, int] = {}
        for entry in self._system("moves"):
            job_id, extension = os.path.splitext(entry.name)
            if extension == ".json" and not entry.name.startswith("."):
                try:
                    seq = decode(read_document(entry.path) or b"").get("seq")
                except Unreadable:
                    seq = None
                intents[job_id] = seq if isinstance(seq, int) else NEVER_DECIDED
        return intents

    def newest_event(self, job_id: str) -> tuple[int, str | None] | None:
        """What the system noted of a job's newest event: its number and the hash of its line, where that is known."""
        if not NAME_OF_NOTE.fullmatch(job_id):
            return None
        try:
            note = NOTE.fullmatch(read_document(os.path.join(self.root, SYSTEM, "newest", job_id)) or b"")
        except Unreadable:
            return None
        if note is None or note[4] != b"%08x" % zlib.crc32(note[1]):
            return None
        return int(note[2]), note[3].decode().strip("-") or None

    def _stray_intents(self, intents: dict[str, int]) -> Iterator[Finding]:
        for job_id in intents:
            if job_id not in self.jobs:
                path = f"{SYSTEM}/moves/{job_id}.json"
                yield Finding(
                    "intent-stale", job_id, path, "a move was announced of a job that is in no status folder."
                )

    def _trash(self) -> Iterator[Finding]:
        """Deleted jobs. Copies of jobs and other things that staff threw away are not judged."""
        for entry in self._system("trash"):
            path = f"{SYSTEM}/trash/{entry.name}"
            if is_folder(entry) and os.path.lexists(os.path.join(entry.path, "events.jsonl")):
                _, findings = self._job(path, {})
                yield from findings
                self.deleted_jobs += 1

    def _staging(self) -> Iterator[Finding]:
        for entry in self._system("staging"):
            path = f"{SYSTEM}/staging/{entry.name}"
            yield Finding("staging-left", None, path, "a submission is being written, or was interrupted.")

    def _pruned(self) -> Iterator[Finding]:
        """The logs of jobs whose folders went for good."""
        keys: set[Any] = set()
        for entry in self._system("pruned"):
            if not YEAR_LOG.fullmatch(entry.name):
                continue
            try:
                with open_regular(entry.path) as file:
                    lines = file.readlines()
            except (OSError, Unreadable) as error:
                yield Finding("pruned-log", None, f"{SYSTEM}/pruned/{entry.name}", f"it cannot be read: {error}.")
                continue
            for number, line in enumerate(lines, 1):
                problem = pruned_job_problem(line, keys)
                if problem is not None:
                    yield Finding("pruned-log", None, f"{SYSTEM}/pruned/{entry.name}", f"line {number} {problem}.")
                    break

    def _missing(self) -> Iterator[Finding]:
        for entry in self._system("missing"):
            job_id, extension = os.path.splitext(entry.name)
            if extension == ".json" and not entry.name.startswith(".") and job_id not in self.jobs:
                yield Finding(
                    "job-missing", job_id, f"{SYSTEM}/missing/{entry.name}", "the folder of this job is missing."
                )


# -- the command ------------------------------------------------------------------------------------------------------


def printable(text: str) -> str:
    """Names may hold anything, also what moves a terminal's cursor or is no Unicode."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def likely_storage() -> str:
    """The folder `storage` beside this file, or the folder that this file lies in."""
    here = os.path.dirname(os.path.abspath(__file__))
    beside = os.path.join(here, "storage")
    return beside if os.path.isdir(beside) else here


def is_storage(root: str) -> bool:
    try:
        names = set(os.listdir(root))
    except OSError:
        return False
    return SYSTEM in names or not names.isdisjoint(STATUSES)


def text_report(storage: Storage, faults: list[Finding], remarks: list[Finding]) -> str:
    lines = [f"{finding.kind}: {finding.path}: {finding.sentence}" for finding in faults]
    lines += [f"(remark) {finding.kind}: {finding.path}: {finding.sentence}" for finding in remarks]
    lines.append(
        f"{len(storage.jobs)} jobs and {storage.deleted_jobs} deleted ones, {storage.files} files with "
        f"{storage.bytes / 1e6:.1f} MB" + (", sizes only: " if storage.is_quick else ": ") + f"{len(faults)} findings."
    )
    return "\n".join(map(printable, lines))


def json_report(storage: Storage, faults: list[Finding], remarks: list[Finding]) -> str:
    report = {
        "storage": storage.root,
        "quick": storage.is_quick,
        "jobs": len(storage.jobs),
        "deleted_jobs": storage.deleted_jobs,
        "files": storage.files,
        "bytes": storage.bytes,
        "findings": [finding._asdict() for finding in faults],
        "remarks": [finding._asdict() for finding in remarks],
    }
    return json.dumps(report, indent=2)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("storage", nargs="?", metavar="STORAGE", help="default: storage/ beside this file")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quick", action="store_true", help="compare the sizes of files, not their hashes")
    options = parser.parse_args(arguments)
    root = os.path.abspath(options.storage or likely_storage())
    if not is_storage(root):
        print(f"{printable(root)} is no storage folder, or it cannot be read.", file=sys.stderr)
        return 2
    storage = Storage(root, options.quick)
    findings = storage.check()
    faults = [finding for finding in findings if finding.kind not in REMARKS]
    remarks = [finding for finding in findings if finding.kind in REMARKS]
    report = (json_report if options.json else text_report)(storage, faults, remarks)
    sys.stdout.buffer.write(report.encode("utf-8", "backslashreplace") + b"\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
