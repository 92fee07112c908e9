"""Whether a file's inode number says which file it is: some file systems give out a new one now and then."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""proc_pid_mountinfo(5). Elsewhere than on Linux there is none, and inodes stay."""
NEW_ONES = frozenset({"vfat", "msdos", "exfat"})
"""They have no inodes on the disk: Linux numbers what it has in memory."""


@cache
def keeps_inodes(device: int) -> bool:
    """Whether the mounted `device` (`st_dev`) does. FUSE (sshfs, WebDAV) invents them, unless it is a whole disk; SMB
    does where the mount could not have the server's."""
    try:
        mounts = MOUNTS.read_text("utf-8", "replace")
    except OSError:
        return True
    return _keeps_inodes(mounts, f"{os.major(device)}:{os.minor(device)}")


def _keeps_inodes(mounts: str, device: str) -> bool:
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2:3] == [device]:
            kind, _, options = after.split(maxsplit=2)
            if kind in ("cifs", "smb3"):
                return "serverino" in options.split(",")
            return kind not in NEW_ONES and kind != "fuse" and not kind.startswith("fuse.")
    return True
