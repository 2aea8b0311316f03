"""How many frames a client may send: each may cost a query."""

from __future__ import annotations

import time


class RateLimit:
    """A token bucket: `burst` at once, refilled by `per_second`."""

    __slots__ = ("_burst", "_counted_at", "_per_second", "_tokens")

    def __init__(self, *, burst: float, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._tokens, self._counted_at = burst, time.monotonic()

    def allow(self) -> bool:
        """Take a token. Return whether there was one."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
