"""How a page asks the supervisor to start a part of the system again: an empty file in instance/ with the part's name.

The pages are a part themselves, and the supervisor is the process above them.
"""

from __future__ import annotations

import logging
from pathlib import Path

from printsys.config import make_private_folder

FOLDER = "restart"
logger = logging.getLogger(__name__)


def request_restart(instance: Path, part: str) -> None:
    """OSError."""
    make_private_folder(instance / FOLDER)
    (instance / FOLDER / part).touch()


class RestartRequests:
    """What the supervisor takes, several times a second. What cannot be read or taken away is logged once."""

    def __init__(self, instance: Path) -> None:
        self.folder = instance / FOLDER
        self._logged: set[Path] = set()

    def take(self) -> list[str]:
        """The names of the parts that somebody asked for since the last call. A request that cannot be taken away is
        none: it would come again and again."""
        try:
            requests = sorted(self.folder.iterdir())
        except OSError as error:
            self._log_once(self.folder, error)
            return []
        return [path.name for path in requests if self._is_taken(path)]

    def _is_taken(self, path: Path) -> bool:
        try:
            path.unlink()
        except OSError as error:
            self._log_once(path, error)
            return False
        return True

    def _log_once(self, path: Path, error: OSError) -> None:
        if path not in self._logged and not isinstance(error, FileNotFoundError):
            self._logged.add(path)
            logger.error("a request for a restart, %s, cannot be taken: %s", path, error.strerror)
