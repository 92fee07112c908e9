"""When something that failed may be tried again: later each time, and not all at the same moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

JITTER = 0.2


@dataclass
class BackOff:
    """`pauses_s`: seconds after the first failure, the second, …; the last one holds from then on.

    Remembered by this process alone: after a restart everything is tried at once.
    """

    pauses_s: Sequence[float]
    monotonic: Callable[[], float] = time.monotonic
    _failures: dict[Hashable, int] = field(default_factory=dict)
    _again_at: dict[Hashable, float] = field(default_factory=dict)

    def failed(self, what: Hashable) -> None:
        count = self._failures.get(what, 0)
        pause = self.pauses_s[min(count, len(self.pauses_s) - 1)]
        self._failures[what] = count + 1
        self._again_at[what] = self.monotonic() + pause * random.uniform(1 - JITTER, 1 + JITTER)

    def failures(self, what: Hashable) -> int:
        """In a row."""
        return self._failures.get(what, 0)

    def settled(self, what: Hashable) -> None:
        self._failures.pop(what, None)
        self._again_at.pop(what, None)

    def wait_s(self, what: Hashable) -> float:
        """Seconds until `what` may be tried again; 0: now."""
        return max(0.0, self._again_at.get(what, 0.0) - self.monotonic())
