"""This machine's settings, from .env and the environment. Checked before anything runs; all mistakes are reported at
once, each with its place."""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from werkzeug.security import check_password_hash, generate_password_hash

from printsys.config.strict import Strict, sentence
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
    backup: Path | None = None
    database_url: str | None = Field(default=None, repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    secret_key: str = Field(repr=False, min_length=16)
    submit_limit: Annotated[int, Field(ge=0)] = 200
    staff_password_hash: Annotated[str | None, Field(repr=False, pattern=PASSWORD_HASH)] = None
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")] = DEFAULT_BASE_URL
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    watch_mode: Literal["auto", "native", "polling"] = "auto"
    drag_grace_s: Annotated[int, Field(ge=0, le=86_400)] = 60
    mail: MailServer | None = None

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: str | None) -> str | None:
        """Asked of the library itself, here, so that no process starts with what it would refuse."""
        if url is not None:
            from redis import ConnectionPool  # imported only where the lab has one

            try:
                ConnectionPool.from_url(url)
            except ValueError as error:  # its words may repeat a password
                raise ValueError("is no address of a Redis; write redis://host:6379/0 or unix:///path") from error
        return url


VARIABLES = {
    "PRINTSYS_STORAGE": "storage",
    "PRINTSYS_INSTANCE": "instance",
    "LAB_CONFIG": "lab_config",
    "PRINTSYS_BACKUP": "backup",
    "DATABASE_URL": "database_url",
    "REDIS_URL": "redis_url",
    "SECRET_KEY": "secret_key",
    "SUBMIT_LIMIT": "submit_limit",
    "STAFF_PASSWORD_HASH": "staff_password_hash",
    "BASE_URL": "base_url",
    "TRUSTED_PROXIES": "trusted_proxies",
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
_VARIABLE_OF = {field: name for name, field in VARIABLES.items()} | {
    f"mail.{field}": name for name, field in MAIL_VARIABLES.items()
}


@dataclass(frozen=True)
class Variables:
    """What .env and the environment say. `lines`: where in .env those variables stand that come from there."""

    values: Mapping[str, str]
    lines: Mapping[str, int]

    def mistake(self, name: str, words: str) -> str:
        return f"{name} ({f'.env line {self.lines[name]}' if name in self.lines else 'environment'}): {words}"


def load_settings(environment: Mapping[str, str] | None = None, root: Path = ROOT) -> Settings:
    """Settings from the environment over `root`/.env over the defaults. ConfigError names every wrong variable.

    Without SECRET_KEY one is made and stored in instance/secret-key, readable by this user alone. STAFF_PASSWORD goes
    no further than here: only its hash is stored.
    """
    variables = _read(os.environ if environment is None else environment, root / ".env")
    values = _values(variables.values, root)
    password = variables.values.get("STAFF_PASSWORD") if "staff_password_hash" not in values else None
    mistakes = []
    if password and len(password) < MIN_PASSWORD_LENGTH:
        mistakes.append(variables.mistake("STAFF_PASSWORD", f"use at least {MIN_PASSWORD_LENGTH} characters"))
        password = None
    try:
        settings = Settings.model_validate(values | _secrets(values, password))
    except OSError as error:
        words = f"{values['instance']} cannot be used: {error.strerror}"
        mistakes.append(variables.mistake("PRINTSYS_INSTANCE", words))
    except ValidationError as error:
        for problem in error.errors():
            field = ".".join(str(part) for part in problem["loc"])
            mistakes.append(variables.mistake(_VARIABLE_OF.get(field, field), sentence(problem)))
    if mistakes:
        raise ConfigError(mistakes)
    return settings


def _read(environment: Mapping[str, str], env_file: Path) -> Variables:
    """An empty variable is as good as none. ConfigError where .env is no text that can be read."""
    try:
        in_file = {name: value for name, value in dotenv_values(env_file, encoding="utf-8-sig").items() if value}
        text = env_file.read_text("utf-8-sig") if env_file.is_file() else ""
    except UnicodeDecodeError as error:
        raise ConfigError([f".env is not UTF-8 text (at byte {error.start})"]) from error
    except OSError as error:
        raise ConfigError([f".env cannot be read: {error.strerror}"]) from error
    lines = {}
    for number, line in enumerate(text.splitlines(), 1):
        assignment = re.match(r"\s*(?:export\s+)?(\w+)\s*=", line)
        if assignment and assignment.group(1) not in environment:
            lines[assignment.group(1)] = number
    return Variables({name: value for name, value in (in_file | dict(environment)).items() if value}, lines)


def _values(variables: Mapping[str, str], root: Path) -> dict[str, Any]:
    """The settings' fields as they are written."""
    values: dict[str, Any] = {field: variables[name] for name, field in VARIABLES.items() if name in variables}
    for field, default in (("storage", "storage"), ("instance", "instance"), ("lab_config", "lab.toml")):
        values[field] = (root / values.get(field, default)).absolute()
    if "backup" in values:
        values["backup"] = (root / values["backup"]).absolute()
    if "MAIL_SERVER" in variables:
        values["mail"] = {field: variables[name] for name, field in MAIL_VARIABLES.items() if name in variables}
    if "base_url" in values:
        values["base_url"] = values["base_url"].rstrip("/")
    return values


def _secrets(values: Mapping[str, Any], password: str | None) -> dict[str, str]:
    """The secret key where no variable gives one, and the hash of `password`. Both are stored in instance/. OSError."""
    instance: Path = values["instance"]
    stored = {}
    if "secret_key" not in values:
        stored["secret_key"] = read_or_make(instance / "secret-key", lambda: secrets.token_urlsafe(48))
    if password:
        stored["staff_password_hash"] = _hash_of(password, instance / "staff-password-given")
    return stored


def _hash_of(password: str, path: Path) -> str:
    """The same at each start, as long as the password is: a session remembers with which it was opened."""
    stored_hash = read_or_make(path, lambda: generate_password_hash(password))
    if not check_password_hash(stored_hash, password):
        path.unlink(missing_ok=True)
        stored_hash = read_or_make(path, lambda: generate_password_hash(password))
    return stored_hash


def make_private_folder(path: Path) -> None:
    """A folder for this user alone, such as instance/: it holds secrets, e-mails and what students wrote.

    One that older versions made for all to read is closed. Passing through stays as it is: run as root, PostgreSQL is
    another user's process.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if sys.platform != "win32":
        status = path.stat()
        if status.st_mode & 0o066 and status.st_uid == os.geteuid():
            path.chmod(status.st_mode & 0o711)


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`. The first time it is made and stored there, for this user alone."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        make_private_folder(path.parent)
    # Whole before it bears its name: another process that starts at the same moment never reads half a secret.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # for this user alone
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(make() + "\n")
    try:
        if sys.platform == "win32":
            os.rename(draft, path)  # refuses to replace
        else:
            os.link(draft, path)
    except FileExistsError:
        pass  # another process was first
    except OSError:  # a file system without hard links
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)
    return path.read_text("ascii").strip()
