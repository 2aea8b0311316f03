"""A pool of threads for work that mostly waits for a vendor's answer.

A process has WORKERS of them for all its runs together. Runs overlap (the schedule starts one while another is still
running); with threads of their own they would need more database connections than the pool has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

from django.db import connections

T = TypeVar("T")

WORKERS = 12
SLOT_SECONDS = 5.0  # for the first thread; all that are busy for longer are busy with what must not hold this run too
_free = threading.BoundedSemaphore(WORKERS)


class NoFreeThread(Exception):
    """All threads stayed busy for SLOT_SECONDS: nothing was done."""


def run_in_threads(work: Callable[[T], int], items: Iterable[T]) -> int:
    """Call `work` with each item, several at once. Return the sum of what it returns. Raises NoFreeThread."""
    queue: SimpleQueue[T] = SimpleQueue()
    for item in items:
        queue.put(item)

    def run() -> int:
        done = 0
        try:
            while True:
                done += work(queue.get_nowait())
        except Empty:
            return done
        finally:
            connections.close_all()
            release(1)

    workers = reserve(min(WORKERS, queue.qsize()))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="sweep") as threads:
        return sum(future.result() for future in [threads.submit(run) for _ in range(workers)])


def reserve(wanted: int) -> int:
    """Return how many threads may run: one at least, for which this waits a while, and no more than are free.

    Each is given back by `release`. Raises NoFreeThread.
    """
    if not _free.acquire(timeout=SLOT_SECONDS):
        raise NoFreeThread(f"no thread got free within {SLOT_SECONDS:g} s")
    return 1 + sum(_free.acquire(blocking=False) for _ in range(wanted - 1))


def release(number: int) -> None:
    """Give reserved threads back."""
    for _ in range(number):
        _free.release()
