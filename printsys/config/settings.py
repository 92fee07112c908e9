"""What the system is told from outside: settings (.env, environment) and lab.toml. Both fail loudly at start.

Everything is checked before anything runs, and all mistakes are reported at once, each with where it is.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from werkzeug.security import check_password_hash, generate_password_hash

from printsys.config.lab import Strict, said
from printsys.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_BASE_URL = "http://127.0.0.1:5000"
PASSWORD_HASH = r"^(scrypt|pbkdf2):[^$]+\$[^$]+\$[0-9a-f]+$"
"""As `werkzeug.security` writes it."""
MIN_PASSWORD_LENGTH = 8


class MailServer(Strict):
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    use_tls: bool = True
    username: str | None = None
    password: str | None = Field(default=None, repr=False)
    sender: str | None = None


class Settings(Strict):
    """This machine's settings. Paths are absolute. Secrets do not show in its `repr`."""

    storage: Path
    instance: Path
    lab_config: Path
    database_url: str | None = Field(default=None, repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    secret_key: str = Field(repr=False, min_length=16)
    submit_limit: Annotated[int, Field(ge=0)] = 200
    staff_password_hash: Annotated[str | None, Field(repr=False, pattern=PASSWORD_HASH)] = None
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")] = DEFAULT_BASE_URL
    watch_mode: Literal["auto", "native", "polling"] = "auto"
    drag_grace_s: Annotated[int, Field(ge=0, le=86_400)] = 60
    mail: MailServer | None = None

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: str | None) -> str | None:
        """Asked of the library itself, here, so that no process starts with what it would refuse."""
        if url is not None:
            from redis import ConnectionPool  # imported only where somebody has one

            try:
                ConnectionPool.from_url(url)
            except ValueError as error:  # its words may repeat a password
                raise ValueError("is no address of a Redis; write redis://host:6379/0 or unix:///path") from error
        return url


VARIABLES = {
    "PRINTSYS_STORAGE": "storage",
    "PRINTSYS_INSTANCE": "instance",
    "LAB_CONFIG": "lab_config",
    "DATABASE_URL": "database_url",
    "REDIS_URL": "redis_url",
    "SECRET_KEY": "secret_key",
    "SUBMIT_LIMIT": "submit_limit",
    "STAFF_PASSWORD_HASH": "staff_password_hash",
    "BASE_URL": "base_url",
    "WATCH_MODE": "watch_mode",
    "DRAG_GRACE_S": "drag_grace_s",
}
MAIL_VARIABLES = {
    "MAIL_SERVER": "host",
    "MAIL_PORT": "port",
    "MAIL_USE_TLS": "use_tls",
    "MAIL_USERNAME": "username",
    "MAIL_PASSWORD": "password",
    "MAIL_DEFAULT_SENDER": "sender",
}
_ENVIRONMENT_NAME = {
    field: name for name, field in (VARIABLES | {k: f"mail.{v}" for k, v in MAIL_VARIABLES.items()}).items()
}


def load_settings(environment: Mapping[str, str] | None = None, root: Path = ROOT) -> Settings:
    """Settings from the environment over `root`/.env over the defaults. ConfigError names every wrong variable.

    Without SECRET_KEY one is made and kept in instance/secret-key, readable by this user alone. STAFF_PASSWORD goes no
    further than here: what is kept is its hash.
    """
    env_file = root / ".env"
    written = _read_env(env_file)
    given = {k: v for k, v in (written | dict(os.environ if environment is None else environment)).items() if v != ""}
    values: dict[str, Any] = {field: given[name] for name, field in VARIABLES.items() if name in given}
    for field, default in (("storage", "storage"), ("instance", "instance"), ("lab_config", "lab.toml")):
        values[field] = (root / values.get(field, default)).absolute()
    if "MAIL_SERVER" in given:
        values["mail"] = {field: given[name] for name, field in MAIL_VARIABLES.items() if name in given}
    if "base_url" in values:
        values["base_url"] = values["base_url"].rstrip("/")
    lines = _env_lines(env_file)

    def mistake(name: str, what: str) -> str:
        return f"{name} ({f'.env line {lines[name]}' if name in written and name in lines else 'environment'}): {what}"

    mistakes = []
    given_password = None
    if "staff_password_hash" not in values and (password := given.get("STAFF_PASSWORD")):
        if len(password) < MIN_PASSWORD_LENGTH:
            mistakes.append(mistake("STAFF_PASSWORD", f"use at least {MIN_PASSWORD_LENGTH} characters"))
        else:
            given_password = password
    try:
        if "secret_key" not in values:
            values["secret_key"] = kept_secret(values["instance"] / "secret-key", lambda: secrets.token_urlsafe(48))
        if given_password is not None:
            values["staff_password_hash"] = _hash_of(given_password, values["instance"] / "staff-password-given")
        settings = Settings.model_validate(values)
    except OSError as error:
        mistakes.append(mistake("PRINTSYS_INSTANCE", f"{values['instance']} cannot be used: {error.strerror}"))
    except ValidationError as error:
        mistakes += [mistake(_variable(problem), said(problem)) for problem in error.errors()]
    if mistakes:
        raise ConfigError(mistakes)
    return settings


def _hash_of(password: str, path: Path) -> str:
    """The same at each start, as long as the password is: a session remembers with which it was opened."""
    known = kept_secret(path, lambda: generate_password_hash(password))
    if not check_password_hash(known, password):
        path.unlink(missing_ok=True)
        known = kept_secret(path, lambda: generate_password_hash(password))
    return known


def _read_env(path: Path) -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(path, encoding="utf-8-sig").items() if value is not None}
    except UnicodeDecodeError as error:
        raise ConfigError([f".env is not UTF-8 text (at byte {error.start})"]) from error
    except OSError as error:
        raise ConfigError([f".env cannot be read: {error.strerror}"]) from error


def _variable(problem: Any) -> str:
    return _ENVIRONMENT_NAME.get(".".join(str(part) for part in problem["loc"]), str(problem["loc"]))


def _env_lines(path: Path) -> dict[str, int]:
    if not path.is_file():
        return {}
    lines = enumerate(path.read_text("utf-8-sig", "replace").splitlines(), 1)
    return {m.group(1): number for number, line in lines if (m := re.match(r"\s*(?:export\s+)?(\w+)\s*=", line))}


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`, made and kept for this user alone the first time."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was first
        return path.read_text("ascii").strip()
    secret = make()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret + "\n")
    return secret
