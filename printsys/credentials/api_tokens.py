"""Tokens with which scripts read the API: made by `manage.py api-token`, shown once; only their hashes are stored."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

from printsys import fs
from printsys.config import Settings
from printsys.errors import InvalidInput

PREFIX = "printsys_"
"""So that a token that leaked somewhere is recognised."""


def tokens_path(settings: Settings) -> Path:
    return settings.instance / "api-tokens.json"


def names(settings: Settings) -> list[str]:
    return sorted(_read(settings))


def make(settings: Settings, name: str) -> str:
    """A new token. InvalidInput if there is one of that name."""
    tokens = _read(settings)
    if name in tokens:
        raise InvalidInput({"name": [f"There is a token called {name} already; revoke it first."]})
    token = PREFIX + secrets.token_urlsafe(32)
    _write(settings, tokens | {name: _hash(token)})
    return token


def revoke(settings: Settings, name: str) -> None:
    """InvalidInput if there is none of that name."""
    tokens = _read(settings)
    if name not in tokens:
        raise InvalidInput({"name": [f"There is no token called {name}."]})
    _write(settings, {stored: token_hash for stored, token_hash in tokens.items() if stored != name})


def is_good(settings: Settings, token: str) -> bool:
    token_hash = _hash(token)
    return any(secrets.compare_digest(token_hash, stored_hash) for stored_hash in _read(settings).values())


def _hash(token: str) -> str:
    """A random token of 32 bytes cannot be guessed, so a fast hash is enough to keep it from being read."""
    return hashlib.sha256(token.encode()).hexdigest()


def _read(settings: Settings) -> dict[str, str]:
    try:
        tokens: dict[str, str] = json.loads(tokens_path(settings).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return tokens


def _write(settings: Settings, tokens: dict[str, str]) -> None:
    fs.replace(tokens_path(settings), (json.dumps(tokens, indent=2) + "\n").encode(), mode=0o600)
