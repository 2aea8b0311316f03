"""What leaves for the sockets after the commit. Hints: the database is the truth, so a lost one harms nobody.

All of a transaction leave together, in one round trip to Redis after the last of them is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import transaction

from notifications.realtime import publish
from notifications.realtime.frames import ServerFrame

Build = Callable[[], ServerFrame]


def push(*, user_id: int, build: Build) -> None:
    """Publish the frame that `build` makes after the commit. A failure is logged, and undoes nothing."""
    _after_commit(lambda: publish.publish(user_id=user_id, frame=build()))


def push_staff(*, build: Build) -> None:
    """The same for the console."""
    _after_commit(lambda: publish.publish_staff(build()))


def access_ended(*, user_id: int) -> None:
    """Have the sockets of a user checked after the commit: a session or key of theirs has ended."""
    transaction.on_commit(lambda: publish.publish_access_ended(user_id=user_id), robust=True)


def push_many(*, build: Callable[[], Iterable[tuple[int, ServerFrame]]]) -> None:
    """The same for many customers: `build` makes pairs of a user's id and a frame."""

    def publish_each() -> None:
        for user_id, frame in build():
            publish.publish(user_id=user_id, frame=frame)

    _after_commit(publish_each)


def _after_commit(work: Callable[[], None]) -> None:
    transaction.on_commit(_Hint(work).leave, robust=True)


class _Hint:
    """One callback each, so that a savepoint which is rolled back takes its own along.

    Django takes the callbacks off the list that they were put on, one by one: as long as another hint stands there,
    this one's frame waits for it. Where that is not how they are called (by a test, or without a transaction), the
    frame leaves at once.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._publish = work
        self._callbacks: list[Any] = transaction.get_connection().run_on_commit
        self._place = len(self._callbacks)
        last = next(_hints(reversed(self._callbacks)), None)
        self._ready: list[publish.Ready] = [] if last is None else last._ready

    def leave(self) -> None:
        try:
            with publish.collecting(self._ready):
                self._publish()
        finally:
            if self._still_listed() or not any(hint._ready is self._ready for hint in _hints(self._callbacks)):
                ready = self._ready.copy()
                self._ready.clear()
                publish.send(ready)

    def _still_listed(self) -> bool:
        return next(_hints(self._callbacks[self._place : self._place + 1]), None) is self


def _hints(callbacks: Iterable[Any]) -> Iterator[_Hint]:
    owners = (getattr(callback, "__self__", None) for _, callback, *_ in callbacks)
    return (owner for owner in owners if isinstance(owner, _Hint))
