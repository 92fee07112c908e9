"""Sessions that ended before their time. A session is a signed cookie: without this list a copy of it would still work
after its owner logged out."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from printsys import fs
from printsys.config import Settings


class EndedSessions:
    """The ids in instance/ended-sessions.json, each with the time (s since the epoch) until which it must be known."""

    def __init__(self, settings: Settings) -> None:
        self._path: Path = settings.instance / "ended-sessions.json"
        self._lock = threading.Lock()
        self._read_at: int | None = None
        self._until: dict[str, float] = {}

    def end(self, session_id: str, lifetime_s: float) -> None:
        """`lifetime_s`: how long a cookie that was set this moment stays good. OSError."""
        with self._lock:
            now = time.time()
            self._refresh()
            self._until = {known: until for known, until in self._until.items() if until > now}
            self._until[session_id] = now + lifetime_s
            fs.replace(self._path, json.dumps(self._until).encode(), mode=0o600)

    def has_ended(self, session_id: str) -> bool:
        with self._lock:
            self._refresh()
            return session_id in self._until

    def _refresh(self) -> None:
        """Read again what another process wrote."""
        try:
            changed_at = self._path.stat().st_mtime_ns
            if changed_at != self._read_at:
                self._until = {**json.loads(fs.read(self._path)), **self._until}
                self._read_at = changed_at
        except (OSError, ValueError):
            return
