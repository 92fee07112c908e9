"""Why the disk refused, in words. Each reason has its own, because each has another remedy."""

from __future__ import annotations

import errno
from pathlib import Path

from printsys import fs
from printsys.jobstore.open_files import held_files, who_holds

NO_PERMISSION = "this computer has no permission to do that"
REASONS = {
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.EROFS: "the disk can only be read at the moment",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the share of the disk that this computer may use is full",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the disk reports an error",
    errno.EXDEV: "the two folders lie on different disks",
    errno.ENOTDIR: "a file lies where a folder should be",
    errno.EMFILE: "this computer has too many files open",
    errno.ENFILE: "this computer has too many files open",
}
OPEN_ELSEWHERE = frozenset({32, 33, 145})
"""WinError sharing violation, lock violation, folder not empty: another program has a file open. Windows answers 5,
access denied, for that as well as for a lack of permission."""
WINDOWS_REASONS = {
    19: REASONS[errno.EROFS],
    112: REASONS[errno.ENOSPC],
    206: REASONS[errno.ENAMETOOLONG],
    **dict.fromkeys(OPEN_ELSEWHERE, "another program has a file open there"),
}


def reason_of(error: OSError) -> str:
    """A clause, without a full stop."""
    code = getattr(error, "winerror", None)
    known = WINDOWS_REASONS.get(code) if code is not None else None
    return known or REASONS.get(error.errno or 0) or error.strerror or type(error).__name__


def why_not_moved(folder: Path, target: Path, error: OSError) -> str:
    """Why a job's folder could not be renamed to `target`, and when it will be."""
    place = target.parent.name
    if isinstance(error, FileExistsError) or error.errno == errno.ENOTEMPTY:
        other = "another folder" if target.is_dir() and not target.is_symlink() else "a file"
        return f"{other} named {target.name} is in {place}; the folder moves when that one is gone"
    if getattr(error, "winerror", None) in OPEN_ELSEWHERE or (fs.is_held(error) and any(held_files(folder))):
        return f"the folder moves to {place} when {who_holds(folder)}"
    # Windows calls a file in the place of a folder a path that is not found.
    is_no_folder = target.parent.exists() and not target.parent.is_dir()
    reason = REASONS[errno.ENOTDIR] if is_no_folder else reason_of(error)
    return f"the folder cannot be moved to {place}: {reason}; it moves when that is over"
