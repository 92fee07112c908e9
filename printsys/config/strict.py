"""What settings and lab.toml are checked with: a model that knows all its keys, and the sentences for its mistakes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def sentence(problem: Any) -> str:
    """What is wrong, from an element of `ValidationError.errors()`: pydantic's words, or those of a check of ours."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]
