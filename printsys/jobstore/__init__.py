"""The one door to storage/: paths, locks, atomic writes; create, load, edit, delete."""

from printsys.jobstore.incoming import Incoming, Staged
from printsys.jobstore.layout import Layout
from printsys.jobstore.store import Change, JobStore
from printsys.jobstore.stored import Stored

__all__ = ["Change", "Incoming", "JobStore", "Layout", "Staged", "Stored"]
