"""When something that failed may be tried again: later each time, and not everything at the same moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

JITTER = 0.2


@dataclass
class BackOff:
    """`pauses_s`: seconds after the first failure, the second, …; the last one holds from then on.

    Only this process remembers: after a restart everything is tried at once.
    """

    pauses_s: Sequence[float]
    monotonic: Callable[[], float] = time.monotonic
    _failures: dict[Hashable, int] = field(default_factory=dict)
    _again_at: dict[Hashable, float] = field(default_factory=dict)

    def failed(self, key: Hashable) -> None:
        count = self._failures.get(key, 0)
        pause = self.pauses_s[min(count, len(self.pauses_s) - 1)]
        self._failures[key] = count + 1
        self._again_at[key] = self.monotonic() + pause * random.uniform(1 - JITTER, 1 + JITTER)

    def failures(self, key: Hashable) -> int:
        """How often in a row."""
        return self._failures.get(key, 0)

    def settled(self, key: Hashable) -> None:
        self._failures.pop(key, None)
        self._again_at.pop(key, None)

    def wait_s(self, key: Hashable) -> float:
        """Seconds until `key` may be tried again; 0: now."""
        return max(0.0, self._again_at.get(key, 0.0) - self.monotonic())
