"""Whether somebody follows what people do in the folders, in a sentence for staff."""

from __future__ import annotations

from datetime import UTC, datetime

from printsys.config import Settings
from printsys.ops import heartbeat
from printsys.web.filters import exact


def folders_not_followed(settings: Settings) -> str | None:
    """Why the folders are not followed at the moment, or follow late; None while all is well."""
    beat = heartbeat.read_indexer(settings)
    if beat is not None and beat.is_alive(datetime.now(UTC)):
        reason = f"the indexer met an error ({beat.problem}) and tries again" if beat.problem else None
    else:
        reason = f"the indexer gave no sign of life since {exact(beat.at)}" if beat else "the indexer does not run"
    if reason is None:
        return beat.watch_problem if beat is not None else None
    return (
        f"The folders are not followed at the moment: {reason}. What is moved, saved or deleted there is recorded when "
        "it works again. Buttons work as always."
    )
