"""Restore a backup without the print lab's system: this one file, Python 3.9 or newer, nothing else.

    python restore.py --list                        which backups there are
    python restore.py --verify [--at BACKUP]        read one, and compare every hash
    python restore.py --to DIR [--at BACKUP]        all of it: DIR/storage, and DIR/lab for what lay beside it
    python restore.py --to DIR --job ID             one job's folder, also a deleted one

It lies in the folder of the backups. It takes the newest backup, if --at does not name another. It compares each file's
hash while it writes it, leaves out what is damaged, and never writes over anything.

Exit code 0: done, 1: done but for damaged files, 2: could not run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

FORMAT = 1
CHUNK = 1 << 20
STORAGE_ID = "storage/.printsys/storage-id"
FOLDER_OF_KIND = {"job": "storage"}
"""Of DIR; other kinds have a folder of their own name."""
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Refused(Exception):
    """Nothing can be done; the message says why."""


class CopiedFile(NamedTuple):
    """A file in a backup, and where it goes: `path` is relative to DIR, with forward slashes."""

    path: str
    sha256: str
    mtime_ns: int
    mode: int


class Unit(NamedTuple):
    """What was copied as one: a job, or all that is no job's. `place` is the job's folder relative to storage/. `files`
    gives the sha256, size, time in ns and rights of each name."""

    kind: str
    id: str
    place: str
    files: dict[str, list[Any]]


class Backup(NamedTuple):
    name: str
    made_at: str
    units: list[Unit]

    @property
    def jobs(self) -> int:
        return sum(unit.kind == "job" for unit in self.units)

    def all_files(self, with_secrets: bool) -> Iterator[CopiedFile]:
        """The storage's id comes last: without it a storage counts as offline, so nobody takes half for the whole."""
        files = [
            copied_file(f"{FOLDER_OF_KIND.get(unit.kind, unit.kind)}/{name}", fields)
            for unit in self.units
            if unit.kind != "secrets" or with_secrets
            for name, fields in unit.files.items()
        ]
        return iter(sorted(files, key=lambda file: file.path == STORAGE_ID))

    def files_of_job(self, job_id: str) -> Iterator[CopiedFile]:
        """In a folder of the name that it had. Of a job that was deleted: as it lay in the trash."""
        for unit in self.units:
            if unit.kind == "job" and unit.id == job_id:
                folders = {unit.place}
            elif unit.kind == "storage":
                parts = (name.split("/") for name in unit.files if name.startswith(".printsys/trash/"))
                folders = {"/".join(part[:3]) for part in parts if part[2].lower().endswith(f"_{job_id}")}
            else:
                continue
            for name, fields in unit.files.items():
                folder = next((folder for folder in folders if name.startswith(f"{folder}/")), None)
                if folder is not None:
                    yield copied_file(folder.rpartition("/")[2] + name[len(folder) :], fields)


def copied_file(path: str, fields: list[Any]) -> CopiedFile:
    """Refused where the path leads out of DIR."""
    parts = path.split("/")
    leads_out = any(part in ("", ".", "..") or "\0" in part for part in parts)
    if leads_out or (os.name == "nt" and any(set(part) & set('\\:*?"<>|') for part in parts)):
        raise Refused(f"The backup names {path!r}, which this computer cannot write. Nothing was written.")
    sha256, _, mtime_ns, mode, *_ = fields
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise Refused(f"The backup names no bytes for {path!r}. Nothing was written.")
    return CopiedFile(path, sha256, mtime_ns, mode)


class Vault:
    """The folder of the backups: `content/ab/abcdef…` by sha256, and `snapshots/<name>.jsonl` for each backup."""

    def __init__(self, root: str) -> None:
        self.root = root

    def names(self) -> list[str]:
        """The oldest first. One of later than tomorrow was named by a clock that was ahead: it counts as the oldest."""
        try:
            entries = os.listdir(os.path.join(self.root, "snapshots"))
        except OSError:
            entries = []
        tomorrow = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 86_400))
        names = [name[: -len(".jsonl")] for name in entries if name.endswith(".jsonl") and not name.startswith(".")]
        return sorted(names, key=lambda name: (name <= tomorrow, name))

    def backup(self, name: str | None) -> Backup:
        """The backup of that name, or the newest; its list must be as it was sealed. Refused."""
        names = self.names()
        if not names:
            raise Refused(f"There is no backup in {self.root}.")
        if name is not None and name not in names:
            raise Refused(f"There is no backup {name}; there are: {', '.join(names)}.")
        name = name or names[-1]
        try:
            with open_regular(os.path.join(self.root, "snapshots", f"{name}.jsonl")) as file:
                lines = file.read().splitlines(keepends=True)
            first, *units, last = map(json.loads, lines)
            if last["end"] != hashlib.sha256(b"".join(lines[:-1])).hexdigest():
                raise ValueError
            if first["format"] != FORMAT:
                raise Refused(f"Backup {name} was made by a newer version. A restore.py of that version can read it.")
            return Backup(name, first["made_at"], [Unit(u["kind"], u["id"], u["place"], u["files"]) for u in units])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refused(f"The list of backup {name} is damaged. There are: {', '.join(names)}.") from error

    def read(self, file: CopiedFile) -> Iterator[bytes]:
        """What the backup has of it; Damaged, at the latest after the last bytes, where that is not what was copied."""
        digest = hashlib.sha256()
        try:
            with open_regular(os.path.join(self.root, "content", file.sha256[:2], file.sha256)) as content:
                while chunk := content.read(CHUNK):
                    digest.update(chunk)
                    yield chunk
        except OSError as error:
            raise Damaged from error
        if digest.hexdigest() != file.sha256:
            raise Damaged


class Damaged(Exception):
    """Bytes in the backup that are gone, or not those that were copied."""


def open_regular(path: str) -> BinaryIO:
    """OSError for anything else; a FIFO is not waited for."""
    descriptor = os.open(path, OPEN_FLAGS)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError("no regular file")


def is_whole(vault: Vault, file: CopiedFile) -> bool:
    try:
        return all(True for _ in vault.read(file))
    except Damaged:
        return False


def write(vault: Vault, file: CopiedFile, target: str) -> bool:
    """Make a new file with the bytes, the time and the rights that it had. False, and no file, where the backup's bytes
    are damaged. Refused by the disk, or where something of that name is there."""
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        descriptor = os.open(target, NEW_FLAGS, 0o600)
    except OSError as error:
        raise Refused(f"{shown(target)} cannot be made ({error.strerror}).") from error
    try:
        with os.fdopen(descriptor, "wb") as output:
            for chunk in vault.read(file):
                output.write(chunk)
            output.flush()
            os.fsync(output.fileno())
        os.utime(target, ns=(file.mtime_ns, file.mtime_ns))
        os.chmod(target, file.mode & 0o777)
    except Damaged:
        os.unlink(target)
        return False
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise Refused(f"{shown(target)} cannot be written ({error.strerror}).") from error
    return True


# -- the command ------------------------------------------------------------------------------------------------------


def shown(text: str) -> str:
    """Names may hold anything, also what moves a terminal's cursor or is no Unicode."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def say(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")


def counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def list_backups(vault: Vault) -> int:
    for name in vault.names():
        try:
            backup = vault.backup(name)
            say(f"{name}  made at {backup.made_at}, {counted(backup.jobs, 'job', 'jobs')}")
        except Refused as refused:
            say(f"{name}  {refused}")
    return 0


def verify(vault: Vault, backup: Backup) -> int:
    damaged = [file.path for file in backup.all_files(with_secrets=True) if not is_whole(vault, file)]
    return report(damaged, f"Backup {backup.name} was read.")


def restore(vault: Vault, files: list[CopiedFile], to: str, doing: str) -> int:
    """Refused unless there is nothing that could be written over."""
    tops = sorted({file.path.partition("/")[0] for file in files})
    in_the_way = next((top for top in tops if os.path.lexists(os.path.join(to, top))), None)
    if in_the_way is not None:
        raise Refused(f"{shown(os.path.join(to, in_the_way))} is there already. Please name an empty folder with --to.")
    damaged = [file.path for file in files if not write(vault, file, os.path.join(to, *file.path.split("/")))]
    return report(
        damaged, f"{doing}: {counted(len(files) - len(damaged), 'file was', 'files were')} written to {shown(to)}."
    )


def report(damaged: list[str], summary: str) -> int:
    say(summary)
    for path in damaged:
        say(f"{shown(path)} is damaged in the backup.")
    if damaged:
        say(f"{counted(len(damaged), 'file is', 'files are')} damaged. Another backup may be whole (--list, --at).")
    return 1 if damaged else 0


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only say which backups there are")
    parser.add_argument("--verify", action="store_true", help="only read a backup, and compare every hash")
    parser.add_argument("--to", metavar="DIR", help="where to write: an empty folder, or one that is not there yet")
    parser.add_argument("--at", metavar="BACKUP", help="which backup (default: the newest)")
    parser.add_argument("--job", metavar="ID", help="only this job")
    parser.add_argument("--with-secrets", action="store_true", help="keys and password hashes too, in DIR/secrets")
    parser.add_argument(
        "--from",
        dest="vault",
        metavar="FOLDER",
        default=os.path.dirname(os.path.abspath(__file__)),
        help="the folder of the backups (default: where this file lies)",
    )
    options = parser.parse_args(arguments)
    if not (options.list or options.verify or options.to):
        parser.error("please say --list, --verify or --to DIR")
    return options


def run(options: argparse.Namespace) -> int:
    vault = Vault(options.vault)
    if options.list:
        return list_backups(vault)
    backup = vault.backup(options.at)
    if options.verify:
        return verify(vault, backup)
    to = os.path.abspath(options.to)
    if options.job is None:
        return restore(vault, list(backup.all_files(options.with_secrets)), to, f"Backup {backup.name} is restored")
    files = list(backup.files_of_job(options.job.lower()))
    if not files:
        raise Refused(f"There is no job {options.job} in backup {backup.name}.")
    return restore(vault, files, to, f"Job {options.job} of backup {backup.name} is restored")


def main(arguments: list[str]) -> int:
    try:
        return run(parsed(arguments))
    except Refused as refused:
        print(shown(str(refused)), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
