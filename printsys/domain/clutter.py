"""What operating systems, NAS boxes, browsers and sync programs leave in folders and is nobody's file.

The names are those that neighbors pass over: Nextcloud's sync-exclude.lst, Syncthing's and Resilio's own folders,
paperless-ngx's CONSUMER_IGNORE_PATTERNS, and what Synology, QNAP, Windows and macOS make on a share.
"""

from __future__ import annotations

import re

NAMES = frozenset(
    {
        # NAS boxes: thumbnails, trash cans, snapshots
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@sharesnap", "@sharebin"),
        *("#recycle", "#snapshot", "~snapshot", "lost+found", "network trash folder", "temporary items"),
        # Windows and macOS
        *("$recycle.bin", "recycler", "system volume information", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db"),
        *("photothumb.db", "desktop.ini", "icon\r", "__macosx"),
    }
)
"""Of files and folders, in lower case. Those that begin with a dot (.DS_Store, ._x.stl, .@__thumb, .stfolder,
.stversions, .sync, .dropbox, .Trash-1000 …) need no row."""
PREFIXES = (".", "~$", "~syncthing~")
SUFFIXES = (
    *(".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".!ut", ".!sync"),
    *(".swp", ".swo", ".kate-swp", ".bak", "~", ".lock", ".unison", ".textclipping"),
)
"""Of files that some program is still writing, or has put aside."""


def is_clutter(name: str) -> bool:
    """Whether a file of this name is nobody's."""
    lower = name.casefold()
    return lower in NAMES or lower.startswith(PREFIXES) or lower.endswith(SUFFIXES)


def is_clutter_folder(name: str) -> bool:
    """The same of a folder. A person may well call one `Jane (old).bak`, so endings do not count."""
    return name.startswith(".") or name.casefold() in NAMES


# -- conflict copies --------------------------------------------------------------------------------------------------

_CONFLICT = re.compile(
    r"(?P<stem>.+?)(?:"
    r"\.sync-conflict-\d{8}-\d{6}(?:-[0-9A-Z]{7})?"  # Syncthing
    r"|_conflict-\d{8}-\d{6}"  # ownCloud
    r"| \((?:[^()]*\s)?conflicted(?: copy)?[^()]*\)"  # Nextcloud, Dropbox, pCloud
    r"| \(case conflict[^()]*\)"  # Dropbox
    r"| \(sfconflict[^()]*\)"  # Seafile
    r"|_[^_]+_[A-Z][a-z]{2}-\d\d-\d{6}-\d{4}_conflict"  # Synology Drive
    r"|_conf\([^()]*\)"
    r"| \[conflict\]"  # Google Drive
    r")(?P<extension>\.[^.]*)?",
    re.IGNORECASE,
)
_RECORD = re.compile(r"metadata[ \-_.(\[~].*\.json|events[ \-_.(\[~].*\.jsonl", re.IGNORECASE)


def conflict_of(name: str) -> str | None:
    """The file of which a sync program has left a conflict copy under this name; None: it is no such copy."""
    match = _CONFLICT.fullmatch(name)
    return match["stem"] + (match["extension"] or "") if match is not None else None


def is_record_copy(name: str) -> bool:
    """Whether a file beside a job's record is a second version of it: a conflict copy (OneDrive's bears the name of the
    computer, `metadata-PC2.json`), or a copy that a person made."""
    return _RECORD.fullmatch(name) is not None
