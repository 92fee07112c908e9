"""The list that a job was opened from, and the jobs beside it: the address of its page and of its buttons has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request

from printsys.errors import MirrorDown
from printsys.web.services import services
from printsys.web.staff.job_list import looked_up
from printsys.web.staff.list_query import ListQuery


@dataclass(frozen=True)
class PlaceInList:
    """`args`: the list in an address. `before` and `after`: ids; None at the list's ends, and without the database."""

    args: dict[str, Any]
    before: str | None = None
    after: str | None = None

    @property
    def next_id(self) -> str | None:
        """What opens once this job is dealt with; at the end of the list, the last job that is left in it."""
        return self.after or self.before


def place_in_list(job_id: str) -> PlaceInList | None:
    """None for a page that was not opened from a list."""
    query = ListQuery.from_args(request.args)
    args = query.args()
    if not args:
        return None
    try:
        wanted = looked_up(services(), query).wanted
        return PlaceInList(args, *services().queries.neighbors(job_id, wanted, query.order))
    except MirrorDown:
        return PlaceInList(args)
