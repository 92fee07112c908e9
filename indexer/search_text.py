"""What a search finds: words of a job, taken the same way out of the record and out of what a person types.

The words are our own and not PostgreSQL's parser's: both sides always agree, and nothing that a person types can be
query syntax. Every word matches by its beginning; an id and the words of an e-mail address also from their middle.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from anyascii import anyascii

from printsys.domain.naming import parse_part_of_id

LONGEST_WORD = 60
MOST_WORDS = 2_000
"""Bounds well inside PostgreSQL's own for a tsvector (2 kB a word, 1 MB in all)."""
MOST_SEARCHED = 12
SHORTEST_TAIL = 3
SHORTEST_PART = 4
"""Of an id that somebody misreads: `lo` is the beginning of a name and not 10."""

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> Sequence[str]:
    """`José's ARCH-4000` → `("josé", "s", "arch", "4000")`."""
    return _usual_words(text) if len(text) <= LONGEST_WORD else _words(text)


def _words(text: str) -> Sequence[str]:
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return tuple(word[:LONGEST_WORD] for word in _WORD.findall(folded))


_usual_words = lru_cache(maxsize=2048)(_words)
"""Disciplines, colors, printers: the same few texts come with every job."""


def search_vector(document: Mapping[str, Any]) -> str:
    """The words of a job as PostgreSQL's text of a tsvector."""
    indexed: set[str] = set()
    for text in _texts(document):
        indexed.update(words(text))
        if not text.isascii():
            indexed.update(words(anyascii(text)))
    for text in (document["id"], str((document.get("student") or {}).get("email") or "")):
        for word in words(text):
            indexed.update(word[start:] for start in range(1, len(word) - SHORTEST_TAIL + 1))
    return " ".join(f"'{word}'" for word in sorted(indexed)[:MOST_WORDS])


def search_query(typed: str) -> str | None:
    """What a person typed as PostgreSQL's text of a tsquery: every word must begin a word of the job. None: no word.

    A word that could be an id, or part of one, finds it, too, whichever look-alikes (O, I, L) it is typed with.
    """
    terms = []
    for word in list(dict.fromkeys(words(typed)))[:MOST_SEARCHED]:
        part = parse_part_of_id(word) if len(word) >= SHORTEST_PART else None
        terms.append(f"('{word}':* | '{part}':*)" if part not in (None, word) else f"'{word}':*")
    return " & ".join(terms) or None


def _texts(document: Mapping[str, Any]) -> Iterator[str]:
    student, request = document.get("student") or {}, document.get("request") or {}
    yield from (document["id"], document.get("notes") or "")
    yield from (str(student.get(key) or "") for key in ("name", "email", "discipline", "class_number"))
    yield from (str(request.get(key) or "") for key in ("method", "color", "printer", "message"))
    for file in document.get("files") or []:
        yield str(file.get("uploaded_as") or "")
        yield str(file.get("name") or "").rpartition("/")[2]
