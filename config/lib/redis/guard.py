"""Stop asking a Redis that does not answer, for a while: so that a request waits for it once, not each time."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from redis import RedisError


class RedisPaused(RedisError):
    """Redis was not asked, since it did not answer just now."""


class Guard:
    """Goes around each use of Redis: `with guard: ...`. One for each purpose in a process.

    After a failure it raises RedisPaused for `pause_seconds`. Then one caller tries, and the others are still refused
    until that one is through.
    """

    def __init__(self, *, pause_seconds: float, errors: tuple[type[Exception], ...] = (RedisError, OSError)) -> None:
        self._pause_seconds = pause_seconds
        self._errors = errors
        self._lock = threading.Lock()
        self.is_down = False
        self._try_at = 0.0

    def __enter__(self) -> None:
        if not self.is_down:
            return
        with self._lock:
            now = time.monotonic()
            if now < self._try_at:
                raise RedisPaused
            self._try_at = now + self._pause_seconds

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is None:
            self.is_down = False
        elif isinstance(error, self._errors):
            with self._lock:
                self.is_down = True
                self._try_at = time.monotonic() + self._pause_seconds
        else:
            self._try_at = 0.0  # it answered, or was not asked: the next one may try
