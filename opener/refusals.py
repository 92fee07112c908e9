"""Every reason why the opener refuses a link: a stable code for the log, and one plain sentence for the window."""

from __future__ import annotations

from enum import Enum, unique


@unique
class Reason(Enum):
    """The member's name is the code; the value is the sentence, with `{}` for details."""

    # The link
    ARGUMENTS = "The opener takes exactly one link. What called it gave it something else, so nothing was opened."
    TOO_LONG = "This link is longer than any link that the dashboard makes, so it was not followed."
    CONTROL = "This link contains control characters or other hidden signs, so it was not followed."
    SCHEME = "This link is not a 3dprint:// or printsys:// link, so it was not followed."
    VERB = "This link asks for something other than “open”, which is all that the opener does."
    ENCODING = "This link is not encoded correctly (a % without two digits, or bytes that are not UTF-8)."
    MISSING = "This link does not say which {} to open."
    DOUBLED = "This link names the {} twice, so it is not clear what to open."
    UNKNOWN_PARAMETER = "This link says more than a job and a file, so it was not followed."
    JOB_ID = "This link's job id is not one of the lab's (eight letters and digits)."
    # The file's name
    ABSOLUTE = "This link gives a whole path instead of a file's name in its job, so it was not followed."
    UNC = "This link points to a network path instead of a file's name in its job, so it was not followed."
    DRIVE = "This link names a drive instead of a file in its job, so it was not followed."
    STREAM = "This link names an alternate data stream (a colon in the file's name), so it was not followed."
    PARENT = "This link climbs out of its job's folder (“..”), so it was not followed."
    BACKSLASH = "This link has a backslash in the file's name, so it was not followed."
    DEVICE = "This link names a device of Windows (such as CON or NUL) instead of a file, so it was not followed."
    NAME = "This link's file name is not one that every computer of the lab can hold, so it was not followed."
    HIDDEN = "This link names a hidden file, which the opener leaves alone."
    EXTENSION = "Files of the kind “{}” are not opened from links: only models and slicers' files are."
    # The storage
    NOT_SET_UP = (
        "The opener does not know where the lab's storage is on this computer. "
        "Please run “python -m opener install --storage PATH” once."
    )
    CONFIG = "The opener's settings cannot be used: {}"
    OFFLINE = "The lab's storage is not there: {} is not mounted, or not the storage folder. Is the network drive on?"
    OTHER_STORAGE = (
        "The folder {} is another storage than the one this computer was set up for. "
        "If that is meant, please run “python -m opener install --storage PATH” again."
    )
    NO_JOB = "No folder of job {} was found in storage. It may have been deleted, or moved out of the status folders."
    TWO_JOBS = "Job {} has two folders in storage, so it is not clear which one to open. The dashboard shows both."
    LINK_OUT = "This file is behind a link or junction in storage, which could lead anywhere. It was not opened."
    NO_FILE = "“{}” is not in the job's folder any more. It may have been renamed; please reload the dashboard."
    NOT_A_FILE = "“{}” is not an ordinary file, so it was not opened."
    UNREADABLE = "Storage could not be read: {}."
    # The slicer
    NO_SLICER = "No program for {} was found on this computer. The file is {}"
    NOT_CHOSEN = "Nothing was opened, because no program was chosen."
    NOT_STARTED = "{} could not be started: {}. The file is {}"
    # Setting up
    REGISTRATION = "This computer did not take the registration: {}"


class Refused(Exception):
    """Nothing was opened; the text is one sentence for people that says why."""

    def __init__(self, reason: Reason, *details: str) -> None:
        super().__init__(reason.value.format(*details))
        self.reason = reason
