"""The one door to storage/: paths, locks, atomic writes; create, load, edit, delete."""

from printsys.jobstore.incoming import IncomingFile, NewJobFiles
from printsys.jobstore.layout import Layout
from printsys.jobstore.store import JobEdit, JobStore
from printsys.jobstore.stored import Stored

__all__ = ["IncomingFile", "JobEdit", "JobStore", "Layout", "NewJobFiles", "Stored"]
