"""The sandbox's own time: real time plus an offset, with timers that also fire when the clock is moved."""

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

log = logging.getLogger("sandbox")


@dataclass(order=True)
class Timer:
    due: float
    order: int
    action: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        self.action = None


class Clock:
    """Times are seconds since 1970, as floats. One event loop; timers run in the order in which they are due."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._frozen: float | None = None
        self._timers: list[Timer] = []
        self._orders = itertools.count()
        self._wake: asyncio.TimerHandle | None = None

    def now(self) -> float:
        return time.time() + self.offset if self._frozen is None else self._frozen

    def at(self, due: float, action: Callable[[], None]) -> Timer:
        timer = Timer(due, next(self._orders), action)
        heapq.heappush(self._timers, timer)
        if self._timers[0] is timer:
            self._arm()
        return timer

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        return self.at(self.now() + seconds, action)

    def advance(self, seconds: float) -> None:
        """Move the clock forward. Each timer that is due sees the clock at its own due time."""
        target = self.now() + seconds
        self._fire(until=target)
        self.offset = target - time.time()
        self._arm()

    def reset(self) -> None:
        self._timers.clear()
        self.offset = 0.0
        self._arm()

    def stop(self) -> None:
        self._timers.clear()
        self._arm()

    def _fire(self, until: float) -> None:
        while self._timers and self._timers[0].due <= until:
            timer = heapq.heappop(self._timers)
            if timer.action is None:
                continue
            self._frozen = timer.due
            try:
                timer.action()
            except Exception:
                log.exception("A sandbox timer failed")  # one bad timer must not stop the clock for the others
            finally:
                self._frozen = None

    def _arm(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if self._timers:
            delay = max(0.0, self._timers[0].due - self.now())
            self._wake = asyncio.get_running_loop().call_later(min(delay, 3600), self._tick)

    def _tick(self) -> None:
        self._wake = None
        self._fire(until=self.now())
        self._arm()


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
