"""What the opener shows and asks in windows; without a screen it prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

TITLE = "Print lab"


@dataclass(frozen=True)
class SlicerChoice:
    name: str
    remember: bool


class Dialogs(Protocol):
    def tell(self, text: str) -> None:
        """Shows a sentence until it is closed."""

    def choose(self, question: str, names: Sequence[str]) -> SlicerChoice | None:
        """One of `names`, or None where the window was closed."""

    def offer(self, text: str, button: str) -> bool:
        """Shows a sentence with `button` beside “Close”; True where it was pressed."""


class ConsoleDialogs:
    """For a terminal, and for programs that read it: asks nothing, since nobody may sit there."""

    def tell(self, text: str) -> None:
        print(text, file=sys.stderr)

    def choose(self, question: str, names: Sequence[str]) -> SlicerChoice | None:
        print(f"{question} {', '.join(names)}. There is no screen to ask on.", file=sys.stderr)
        return None

    def offer(self, text: str, button: str) -> bool:
        self.tell(text)
        return False
