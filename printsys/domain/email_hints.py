"""Addresses that look like a slip of the finger. The address is the only thread to a student."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

CLOSE = 0.85
"""Of difflib's ratio: `gmial.com` and `gmail.co` are that close to `gmail.com`, `mail.org` is not."""


def likely_address(address: str, expected_domains: Iterable[str]) -> str | None:
    """The address that was probably meant: with the expected domain that its own is nearly. None: nothing to say."""
    user, _, domain = address.rpartition("@")
    expected = [name.casefold() for name in expected_domains]
    if domain.casefold() in expected:
        return None
    close = get_close_matches(domain.casefold(), expected, n=1, cutoff=CLOSE)
    return f"{user}@{close[0]}" if close else None
