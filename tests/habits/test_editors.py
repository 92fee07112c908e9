"""How editors save metadata.json. Each leaves the person's change in the record and nothing of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.habits.conftest import WatchedJob
from tests.mirrored import mirrored_job
from tests.present import present
from tests.waiting import until


def edited(path: Path) -> bytes:
    return path.read_bytes().replace(b"ARCH 4000", b"ARCH 5000")


def vim(path: Path) -> None:
    """backupcopy=no: a swap file, a probe, the old file becomes the backup, a new one is written, the rest goes."""
    text = edited(path)
    swap, backup = path.with_name(f".{path.name}.swp"), path.with_name(f"{path.name}~")
    swap.write_bytes(b"b0VIM 9.0")
    probe = path.with_name("4913")
    probe.touch()
    probe.unlink()
    path.rename(backup)
    path.write_bytes(text)
    backup.unlink()
    swap.unlink()


def gedit(path: Path) -> None:
    """GLib's g_file_replace: a hidden temporary beside it, fsync, the backup linked, rename over it."""
    temporary, text = path.with_name(".goutputstream-A1B2C3"), edited(path)
    with temporary.open("xb") as file:
        file.write(text)
        os.fsync(file.fileno())
    path.with_name(f"{path.name}~").write_bytes(path.read_bytes())
    os.replace(temporary, path)


def vscode(path: Path) -> None:
    """Truncated and written in place."""
    text = edited(path)
    with path.open("r+b") as file:
        file.truncate()
        file.write(text)


def notepad(path: Path) -> None:
    """In place, with a byte-order mark and its own line ends."""
    path.write_bytes(b"\xef\xbb\xbf" + edited(path).replace(b"\n", b"\r\n"))


def notepad_unicode(path: Path) -> None:
    """Saved as "Unicode", which is UTF-16 with its mark."""
    path.write_bytes(edited(path).decode("utf-8").replace("\n", "\r\n").encode("utf-16"))


def emacs(path: Path) -> None:
    """A lock that is a dangling link, an auto-save file, the first save's backup by rename."""
    text = edited(path)
    lock, autosave = path.with_name(f".#{path.name}"), path.with_name(f"#{path.name}#")
    if hasattr(os, "symlink") and os.name == "posix":
        os.symlink("sam@lab.4711:1764000000", lock)
    autosave.write_bytes(text)
    path.rename(path.with_name(f"{path.name}~"))
    path.write_bytes(text)
    autosave.unlink()
    lock.unlink(missing_ok=True)


@pytest.mark.parametrize("save", [vim, gedit, vscode, notepad, notepad_unicode, emacs], ids=lambda save: save.__name__)
def test_an_editors_way_of_saving_is_one_edit_and_leaves_no_trace(
    watched: WatchedJob, save: Callable[[Path], None]
) -> None:
    job = watched.new_job()
    save(job.folder / "metadata.json")
    until(lambda: present(mirrored_job(watched.queries, job.id)).job.student.class_number == "ARCH 5000")
    events = watched.events()
    assert [kind for kind, _ in events if kind != "MetadataRestored"] == ["MetadataEdited"]
    assert watched.attention() == []


def test_a_half_saved_record_is_raised_left_alone_and_heals_with_the_rest_of_it(watched: WatchedJob) -> None:
    job = watched.new_job()
    path = job.folder / "metadata.json"
    text = edited(path)
    path.write_bytes(text[: len(text) // 2])
    until(lambda: watched.attention() != [])
    assert path.read_bytes() == text[: len(text) // 2], "the person's text is theirs"
    assert present(mirrored_job(watched.queries, job.id)).job.student.class_number == "ARCH 4000", (
        "the last good state keeps serving"
    )
    path.write_bytes(text)
    until(lambda: watched.attention() == [])
    assert [kind for kind, _ in watched.events()] == ["MetadataEdited"]
    assert present(mirrored_job(watched.queries, job.id)).job.student.class_number == "ARCH 5000"


def test_a_status_written_by_hand_is_a_drag(watched: WatchedJob) -> None:
    job = watched.new_job()
    path = job.folder / "metadata.json"
    path.write_bytes(path.read_bytes().replace(b'"Uploaded"', b'"Pending"'))
    until(lambda: present(mirrored_job(watched.queries, job.id)).folder.startswith("Pending/"))
    assert watched.store.find(job.id).parent.name == "Pending"
