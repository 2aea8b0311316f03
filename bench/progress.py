"""What a part says while it goes on. No part has a time to be done in: a slow machine takes longer.

What goes on is noticed by whoever runs the part; it is ended where nothing has gone on for STILL_SECONDS.
"""

from __future__ import annotations

import time
from collections.abc import Callable

STILL_SECONDS = 900
_SAY_SECONDS = 10


class Progress:
    """The lines of one part: each step as it begins, and long ones by count every ten seconds."""

    def __init__(self, goes_on: Callable[[], None] = lambda: None) -> None:
        self._goes_on = goes_on
        self._began = self._said_at = time.monotonic()
        self._done = -1

    def step(self, what: str) -> None:
        self._goes_on()
        self._said_at = time.monotonic()
        print(f"bench:   {self._said_at - self._began:4.0f} s  {what}", flush=True)

    def count(self, what: str, done: int, of: int) -> None:
        """Tell how far it has come; call it as often as you like."""
        if done != self._done:
            self._done = done
            self._goes_on()
        if time.monotonic() - self._said_at >= _SAY_SECONDS:
            self.step(f"{done:,} of {of:,} {what}")
