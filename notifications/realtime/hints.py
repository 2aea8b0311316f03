"""What leaves for the sockets after the commit. Hints: the database is the truth, so a lost one harms nothing.

All hints of a unit of work leave together, in one round trip to Redis.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from config.lib.unit_of_work import after_commit
from notifications.realtime import publish
from notifications.realtime.frames import ServerFrame

log = logging.getLogger(__name__)

Build = Callable[[], ServerFrame]


def push(*, user_id: int, build: Build) -> None:
    """Publish the frame that `build` makes after the commit. A failure is logged, and undoes nothing."""
    after_commit(_send, lambda: [publish.to_user(user_id, build())])


def push_many(*, build: Callable[[], Iterable[tuple[int, ServerFrame]]]) -> None:
    """Publish frames to several customers: `build` makes pairs of a user's id and a frame."""
    after_commit(_send, lambda: (publish.to_user(user_id, frame) for user_id, frame in build()))


def push_staff(*, build: Build) -> None:
    """Publish a frame to the console."""
    after_commit(_send, lambda: [publish.to_staff(build())])


def access_ended(*, user_id: int) -> None:
    """Have the sockets of a user checked after the commit: a session or key of theirs has ended."""
    after_commit(_send, lambda: [publish.access_ended(user_id)])


def _send(builds: Sequence[Callable[[], Iterable[publish.Hint]]]) -> None:
    ready: list[publish.Hint] = []
    for build in builds:
        try:
            ready.extend(build())
        except Exception:
            log.exception("hint_failed")
    publish.send(ready)
