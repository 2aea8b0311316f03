"""The same work for many rows at once: mostly waiting for the provider, so threads pay."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

from django.db import connections

log = logging.getLogger(__name__)
T = TypeVar("T")

WORKERS = 12


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

    workers = min(WORKERS, len(rows))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="verifications") as threads:
        return sum(future.result() for future in [threads.submit(run) for _ in range(workers)])
