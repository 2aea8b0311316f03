"""What leaves for the sockets after the commit. Hints: the database is the truth, so a lost one harms nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from notifications import realtime

Build = Callable[[], Mapping[str, Any]]


def push(*, user_id: int, build: Build) -> None:
    """Publish the frame that `build` makes after the commit. A failure is logged, and undoes nothing."""
    transaction.on_commit(lambda: realtime.publish(user_id=user_id, frame=build()), robust=True)


def push_staff(*, build: Build) -> None:
    """The same for the console."""
    transaction.on_commit(lambda: realtime.publish_staff(build()), robust=True)
