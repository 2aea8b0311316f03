"""How many of a process's threads one operation of a vendor may take, and how long a request waits for its answer.

    calls = bulkhead("textverified", "cancel")
    calls.run(lambda: provider.cancel(number), patience=3)      # raises Full, StillRunning, or what the call raises
    with calls.place():                                         # the same without patience, in this thread
        provider.quote(spec)

When all places are taken a call raises Full at once, or after a short wait where so asked. A call that outlasts
its caller's patience goes on in a thread of its own, keeps its place, and its outcome is counted by the breaker: so a
vendor that is slow is not taken for one that is down. The sizes are settings (VENDOR_PLACES), and all of them together
stay below the web server's threads: docs/decisions/016-vendors-without-a-connection.md.
"""

from __future__ import annotations

import contextvars
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import structlog
from django.conf import settings

from config.lib import metrics
from config.lib.remote.connections import release_connections

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Full(Exception):
    """All places are taken: the call was not made."""


class StillRunning(Exception):
    """No answer within the caller's patience; the call goes on by itself."""


class Bulkhead:
    """Admits `size` calls at once, at most two thirds of them about one subject, such as a service."""

    def __init__(self, vendor: str, operation: str, *, size: int) -> None:
        self.vendor, self.operation, self.size = vendor, operation, size
        self._subjects_share = max(1, size * 2 // 3)
        self._lock = threading.Condition()
        self._taken = self._queued = 0
        self._by_subject: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        return self._taken

    def run(self, work: Callable[[], T], *, patience: float, subject: str = "") -> T:
        """Return what `work` returns, or raise what it raises, if it ends within `patience` seconds.

        It must not touch the database.

        This thread's database connection is given back first. Raises Full and StillRunning.
        """
        release_connections()
        self._take(subject)
        answer: Future[T] = Future()
        context = contextvars.copy_context()

        def call() -> None:
            try:
                result = context.run(work)
            except BaseException as error:  # noqa: BLE001  raised in the waiting thread
                self._leave(subject)
                answer.set_exception(error)
            else:
                self._leave(subject)
                answer.set_result(result)

        try:
            # A daemon: the process's end doesn't wait for a vendor. What is cut off is recovered, as after a crash.
            threading.Thread(target=call, name=f"{self.vendor}-{self.operation}", daemon=True).start()
        except BaseException:
            self._leave(subject)
            raise
        try:
            return answer.result(patience)
        except NotYet:
            if answer.done():  # the work itself raised a TimeoutError, or has just ended
                return answer.result()
            metrics.vendor_calls_abandoned_total.labels(self.vendor, self.operation).inc()
            raise StillRunning(f"{self.vendor} has not answered {self.operation} within {patience:g} s") from None

    @contextmanager
    def place(self, *, wait: float = 0) -> Iterator[None]:
        """Hold a place for a call in this thread, which has a time limit of its own. Raises Full.

        `wait`: seconds to queue for it; no more calls queue than there are places.
        """
        release_connections()
        self._take("", wait)
        try:
            yield
        finally:
            self._leave("")

    def _take(self, subject: str, wait: float = 0) -> None:
        with self._lock:
            if wait and self._is_full(subject) and self._queued < self.size:
                self._queued += 1
                self._lock.wait_for(lambda: not self._is_full(subject), wait)
                self._queued -= 1
            full = self._is_full(subject)
            if not full:
                self._taken += 1
                if subject:
                    self._by_subject[subject] += 1
        if full:
            metrics.vendor_calls_refused_total.labels(self.vendor, self.operation).inc()
            log.warning("bulkhead_full", vendor=self.vendor, operation=self.operation, subject=subject)
            raise Full(f"{self.size} calls of {self.operation} wait for {self.vendor} already")

    def _is_full(self, subject: str) -> bool:
        return self._taken >= self.size or (subject != "" and self._by_subject[subject] >= self._subjects_share)

    def _leave(self, subject: str) -> None:
        with self._lock:
            self._taken -= 1
            self._lock.notify()
            if subject:
                self._by_subject[subject] -= 1
                if not self._by_subject[subject]:
                    del self._by_subject[subject]


def bulkhead(vendor: str, operation: str) -> Bulkhead:
    """Return the process's bulkhead for that operation, of the size that VENDOR_PLACES names."""
    return _bulkhead(vendor, operation, settings.VENDOR_PLACES[operation])


@lru_cache(maxsize=64)
def _bulkhead(vendor: str, operation: str, size: int) -> Bulkhead:
    return Bulkhead(vendor, operation, size=size)
