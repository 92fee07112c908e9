"""The staff password: only its hash is stored, and there is no default one."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from werkzeug.security import check_password_hash, generate_password_hash

from printsys import fs
from printsys.config import MIN_PASSWORD_LENGTH, Settings, make_private_folder
from printsys.domain.naming import ID_ALPHABET
from printsys.errors import PrintSysError

BLOCKS, BLOCK_LENGTH = 4, 4
"""16 letters of Crockford's base 32: 80 bits."""
MIN_LENGTH = MIN_PASSWORD_LENGTH


def hash_path(settings: Settings) -> Path:
    return settings.instance / "staff-password-hash"


def current_hash(settings: Settings) -> str | None:
    """The hash in force: the settings' (from STAFF_PASSWORD_HASH or STAFF_PASSWORD), else what this instance stores."""
    if settings.staff_password_hash:
        return settings.staff_password_hash
    try:
        return hash_path(settings).read_text("ascii").strip()
    except FileNotFoundError:
        return None


def is_right(password: str, hashed: str | None) -> bool:
    return hashed is not None and check_password_hash(hashed, password)


def fingerprint(hashed: str) -> str:
    """What a session remembers of the password it was opened with. Nothing can be tried against it but a whole hash."""
    return hashlib.sha256(hashed.encode()).hexdigest()[:32]


def change(settings: Settings, chosen: str, repeated: str) -> None:
    """As a person types it, twice. PrintSysError says why it is not changed."""
    if chosen != repeated:
        raise PrintSysError("The two were not the same; nothing was changed.")
    if len(chosen) < MIN_LENGTH:
        raise PrintSysError(f"Please use at least {MIN_LENGTH} characters; nothing was changed.")
    choose(settings, chosen)


def choose(settings: Settings, password: str) -> None:
    """Store the hash of `password`, readable by this user alone. It is there whole or not at all."""
    make_private_folder(settings.instance)
    fs.replace(hash_path(settings), f"{generate_password_hash(password)}\n".encode(), mode=0o600)


def make_if_missing(settings: Settings) -> str | None:
    """On the first start: make a password and give it back, to be shown once. None where there is one."""
    if current_hash(settings) is not None:
        return None
    letters = [secrets.choice(ID_ALPHABET) for _ in range(BLOCKS * BLOCK_LENGTH)]
    blocks = ["".join(letters[n : n + BLOCK_LENGTH]) for n in range(0, len(letters), BLOCK_LENGTH)]
    password = "-".join(blocks)
    choose(settings, password)
    return password
