"""The same work for many rows at once: mostly waiting for the provider, so threads pay.

A process has WORKERS of them for all its runs together. Runs overlap (the schedule starts one while another is still
at it), and were each to bring its own, they would want more database connections than the pool has.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

from django.db import connections

log = logging.getLogger(__name__)
T = TypeVar("T")

WORKERS = 12
_free = threading.BoundedSemaphore(WORKERS)


def each(rows: Sequence[T], work: Callable[[T], object], *, name: Callable[[T], str]) -> int:
    """How many of `rows` were worked through. One row's failure is logged with its name and stops no other."""

    def guarded(row: T) -> bool:
        try:
            work(row)
        except Exception:
            log.exception("%s failed for %s", getattr(work, "__name__", "work"), name(row))
            return False
        return True

    if len(rows) < 2:
        return sum(guarded(row) for row in rows)

    queue: SimpleQueue[T] = SimpleQueue()
    for row in rows:
        queue.put(row)

    def run() -> int:
        done = 0
        try:
            while True:
                done += guarded(queue.get_nowait())
        except Empty:
            return done
        finally:
            connections.close_all()
            _free.release()

    workers = _take(min(WORKERS, len(rows)))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="verifications") as threads:
        return sum(future.result() for future in [threads.submit(run) for _ in range(workers)])


def _take(wanted: int) -> int:
    """How many threads may run: at least one, for which this waits, and no more than are free."""
    _free.acquire()
    return 1 + sum(_free.acquire(blocking=False) for _ in range(wanted - 1))
