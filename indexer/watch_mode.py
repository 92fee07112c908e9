"""Whether the system reports what happens in the storage folder, or the indexer must look for itself."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Literal

WatchMode = Literal["auto", "native", "polling"]
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs", "davfs"})
"""File systems (third field of /proc/mounts) on which inotify sees only what this machine does itself."""
DRIVE_REMOTE = 4
"""GetDriveTypeW: a network drive."""
LOCAL_PREFIXES = ("\\\\?\\", "\\\\.\\")
"""A path that begins like this is as Windows keeps it, and on a share only where UNC\\ follows."""
ONEDRIVE = ("OneDrive", "OneDriveCommercial", "OneDriveConsumer")
"""Environment variables in which OneDrive's client says where its folders are."""
SYNC_MARKERS = {
    ".dropbox.cache": "Dropbox",
    ".tmp.drivedownload": "Google Drive",
    ".tmp.driveupload": "Google Drive",
    ".stfolder": "Syncthing",
    ".nextcloudsync.log": "Nextcloud",
}
"""What a sync program keeps in the top folder of those that it syncs."""
RECALL_ATTRIBUTES = 0x0004_0000 | 0x0040_0000
"""FILE_ATTRIBUTE_RECALL_ON_OPEN and _RECALL_ON_DATA_ACCESS: the contents lie in a cloud."""
CLOUD_TAG, CLOUD_MASK = 0x9000_001A, 0xFFFF_0FFF
"""IO_REPARSE_TAG_CLOUD, and all its variants but for the bits in which they differ."""


def mode_for(root: Path, mode: WatchMode) -> Literal["native", "polling"]:
    """`auto` polls where the system may not report everything."""
    if mode != "auto":
        return mode
    return "polling" if is_on_network(root) or sync_program(root) else "native"


def is_on_network(root: Path) -> bool:
    """Also for a drive letter that stands for a folder on a network drive."""
    if sys.platform == "win32":
        return _is_remote(root.absolute()) or _is_remote(root.resolve())
    try:
        mounts = Path("/proc/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    kinds = {line.split()[1].replace("\\040", " "): line.split()[2] for line in mounts}
    resolved = root.resolve()
    mount = next((str(folder) for folder in (resolved, *resolved.parents) if str(folder) in kinds), "/")
    return kinds.get(mount, "") in NETWORK


def is_share(path: str) -> bool:
    """Whether a Windows path names a share: `\\\\server\\share\\…`, `\\\\?\\UNC\\server\\share\\…`."""
    for prefix in LOCAL_PREFIXES:
        if path.startswith(prefix):
            return path[len(prefix) :].casefold().startswith("unc\\")
    return path.startswith("\\\\")


def sync_program(root: Path) -> str | None:
    """The program that syncs this folder with other computers, where one is recognized."""
    resolved = root.resolve()
    for name in ONEDRIVE:
        top = os.environ.get(name)
        if top and resolved.is_relative_to(Path(top).resolve()):
            return "OneDrive"
    for folder in (resolved, *resolved.parents):
        if folder.parent.name == "CloudStorage":  # ~/Library/CloudStorage of macOS: OneDrive-…, GoogleDrive-…
            return folder.name.partition("-")[0]
        for marker, program in SYNC_MARKERS.items():
            if (folder / marker).exists():
                return program
        if _is_in_a_cloud(folder):
            return "a cloud's program"
    return None


def _is_in_a_cloud(folder: Path) -> bool:
    if sys.platform != "win32":
        return False
    try:
        status = folder.lstat()
    except OSError:
        return False
    is_placeholder = bool(status.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT)
    is_cloud = is_placeholder and status.st_reparse_tag & CLOUD_MASK == CLOUD_TAG & CLOUD_MASK
    return is_cloud or bool(status.st_file_attributes & RECALL_ATTRIBUTES)


def _is_remote(path: Path) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    drive = path.drive
    return is_share(str(path)) or ctypes.windll.kernel32.GetDriveTypeW(f"{drive[-2:]}\\") == DRIVE_REMOTE
