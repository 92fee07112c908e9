"""Parses a link: pure, and never raises anything but Refused.

`urllib.parse.urlsplit` is not used: it silently drops tabs and line ends, and takes no scheme that starts with a digit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from opener import names
from opener.refusals import Reason, Refused

SCHEMES = ("3dprint", "printsys")
"""The second is the same under a name that starts with a letter: RFC 3986 wants that, browsers insist on it and take
`3dprint://…` in a page for a relative path."""
LENGTH_LIMIT = 2048
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class OpenRequest:
    """A file of a job: the job's id in its one spelling, and the parts of the path in the job's folder."""

    job: str
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        return "/".join(self.parts)

    @property
    def extension(self) -> str:
        return names.extension(self.parts[-1])


def parse(url: str) -> OpenRequest:
    """`3dprint://open?job=<id>&file=<name>`; raises Refused with the rule that `url` breaks."""
    parameters = _parameters(_query(url))
    job = names.job_id(parameters["job"])
    if job is None:
        raise Refused(Reason.JOB_ID)
    return OpenRequest(job, names.parts_of(parameters["file"]))


def _query(url: str) -> str:
    if len(url) > LENGTH_LIMIT:
        raise Refused(Reason.TOO_LONG)
    if names.has_hidden_signs(url):
        raise Refused(Reason.CONTROL)
    scheme, colon, rest = url.partition(":")
    if not colon or scheme.lower() not in SCHEMES:
        raise Refused(Reason.SCHEME)
    # Some browsers and desktops put a slash behind the host before they pass the link on.
    verb, question, query = rest.removeprefix("//").partition("?")
    if verb.lower().removesuffix("/") != "open":
        raise Refused(Reason.VERB)
    if not question:
        raise Refused(Reason.MISSING, "job")
    return query.partition("#")[0]


def _parameters(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key not in ("job", "file"):
            raise Refused(Reason.UNKNOWN_PARAMETER)
        if key in values:
            raise Refused(Reason.DOUBLED, key)
        # Percent-decoded once, never twice; a plus sign stays a plus sign, since file names have them.
        if _BAD_PERCENT.search(value):
            raise Refused(Reason.ENCODING)
        try:
            values[key] = unquote_to_bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(Reason.ENCODING) from None
    for key in ("job", "file"):
        if not values.get(key):
            raise Refused(Reason.MISSING, key)
    return values
