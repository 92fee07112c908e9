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


def take_requests(instance: Path) -> list[str]:
    """The names of the parts that somebody asked for since the last call. A request that cannot be taken away is none:
    it would come again and again."""
    parts = []
    try:
        for path in sorted((instance / FOLDER).iterdir()):
            path.unlink()
            parts.append(path.name)
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.error("a request for a restart cannot be read: %s", error.strerror)
    return parts
