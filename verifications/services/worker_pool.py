"""The same work for many rows at once: mostly waiting for the provider, so threads pay.

A process has WORKERS of them for all its runs together. Runs overlap (the schedule starts one while another is still
at it), and were each to bring its own, they would want more database connections than the pool has.

The rows of one customer are worked through one after the other, by one thread: each of them wants that customer's
wallet anyway. Where somebody else holds a row of theirs for longer than a background connection waits, this one and
all that are left of the customer are put aside, so that a customer costs the others one such wait and one thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from django.db import connections

from config.lib.metrics import rows_put_aside_total
from config.lib.postgres import limits

log = logging.getLogger(__name__)
T = TypeVar("T")

WORKERS = 12
# For the first thread: all that are busy for longer are busy with what must not hold this run too.
THREAD_WAIT_SECONDS = 5.0
_free_threads = threading.BoundedSemaphore(WORKERS)


def _user_id(row: Any) -> Hashable:
    return row.user_id


def _do_nothing(rows: Sequence[Any]) -> None:
    """Do nothing: a later run finds the rows as they are."""


def run_in_threads(
    rows: Sequence[T],
    work: Callable[[T], object],
    *,
    name: Callable[[T], str],
    owner: Callable[[T], Hashable] = _user_id,
    put_aside: Callable[[Sequence[T]], object] = _do_nothing,
    label: str = "",
) -> int:
    """Work through `rows`, many owners' at once. Return how many were; a row's failure is logged and stops no other.

    `put_aside` gets an owner's rows that can't be locked now; the metric counts them by `label`. Where no thread gets
    free in time nothing is done: the rows come again when their lease ends.
    """
    task = _Task(work, name, put_aside, label)
    groups = _by_owner(rows, owner)
    if len(groups) < 2:
        return sum(task.run(group) for group in groups)

    queue: SimpleQueue[list[T]] = SimpleQueue()
    for group in groups:
        queue.put(group)

    def run() -> int:
        done = 0
        try:
            while True:
                done += task.run(queue.get_nowait())
        except Empty:
            return done
        finally:
            connections.close_all()
            _free_threads.release()

    workers = _acquire_threads(min(WORKERS, len(groups)))
    if not workers:
        log.error("%s rows wait for their next turn: no thread got free within %s s", len(rows), THREAD_WAIT_SECONDS)
        rows_put_aside_total.labels(work=label, why="no thread").inc(len(rows))
        return 0
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="verifications") as threads:
        return sum(future.result() for future in [threads.submit(run) for _ in range(workers)])


def run_in_this_thread(
    rows: Sequence[T],
    work: Callable[[T], object],
    *,
    name: Callable[[T], str],
    owner: Callable[[T], Hashable] = _user_id,
    label: str = "",
) -> int:
    """Work through `rows` as run_in_threads does, in the calling thread: for short work."""
    task = _Task(work, name, _do_nothing, label)
    return sum(task.run(group) for group in _by_owner(rows, owner))


@dataclass(frozen=True)
class _Task(Generic[T]):
    work: Callable[[T], object]
    name: Callable[[T], str]
    put_aside: Callable[[Sequence[T]], object]
    label: str

    def run(self, group: list[T]) -> int:
        """Work through one owner's rows. Return how many were."""
        done = 0
        for number, row in enumerate(group):
            try:
                self.work(row)
            except Exception as error:
                if limits.is_lock_timeout(error):
                    self._put_aside(group[number:])
                    break
                log.exception("%s failed for %s", getattr(self.work, "__name__", "work"), self.name(row))
            else:
                done += 1
        return done

    def _put_aside(self, rows: list[T]) -> None:
        rows_put_aside_total.labels(work=self.label, why="locked").inc(len(rows))
        log.warning("%s can't be locked; with it %s rows are put aside", self.name(rows[0]), len(rows))
        try:
            self.put_aside(rows)
        except Exception:
            log.exception("%s and the rows with it keep their turn", self.name(rows[0]))


def _by_owner(rows: Sequence[T], owner: Callable[[T], Hashable]) -> list[list[T]]:
    groups: dict[Hashable, list[T]] = {}
    for row in rows:
        groups.setdefault(owner(row), []).append(row)
    return list(groups.values())


def _acquire_threads(wanted: int) -> int:
    """Return how many threads may run: one at least, for which this waits a while, and no more than are free."""
    if not _free_threads.acquire(timeout=THREAD_WAIT_SECONDS):
        return 0
    return 1 + sum(_free_threads.acquire(blocking=False) for _ in range(wanted - 1))
