"""What can be told, asked and offered; printed where there is no screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

TITLE = "Print lab"


@dataclass(frozen=True)
class Choice:
    name: str
    remember: bool


class Dialogs(Protocol):
    def tell(self, text: str) -> None:
        """Shows a sentence until it is closed."""

    def choose(self, question: str, names: Sequence[str]) -> Choice | None:
        """One of `names`, or None where the window was closed."""

    def offer(self, text: str, button: str) -> bool:
        """Shows a sentence with `button` beside “Close”; True where it was pressed."""


class Printed:
    """For a terminal, and for programs that read it: nothing is asked, since nobody may be there."""

    def tell(self, text: str) -> None:
        print(text, file=sys.stderr)

    def choose(self, question: str, names: Sequence[str]) -> Choice | None:
        print(f"{question} {', '.join(names)}. There is no screen to ask on.", file=sys.stderr)
        return None

    def offer(self, text: str, button: str) -> bool:
        self.tell(text)
        return False
