"""What a customer does with the inbox. Counters move in the statement that changes the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone

from accounts.models import User
from config.lib.unit_of_work import unit_of_work
from notifications.inbox import selectors
from notifications.models import Notification
from notifications.realtime import frames, hints


@dataclass(frozen=True)
class Changed:
    """How many rows changed, and the counters after it."""

    changed: int
    seq: int
    unread: int


# The inbox is locked first, as everywhere; then each row is looked at again under its own lock, so that two tabs that
# read the same row count it once.
_CHANGE = """
WITH inbox AS MATERIALIZED (
    SELECT user_id FROM notifications_inbox WHERE user_id = %(user)s FOR UPDATE
), touched AS (
    UPDATE notifications_notification SET {column} = %(now)s
    WHERE user_id = (SELECT user_id FROM inbox) AND {column} IS NULL AND deleted_at IS NULL AND {which}
    RETURNING id, {was_unread} AS was_unread
), moved AS (
    UPDATE notifications_inbox SET unread = unread - (SELECT count(*) FROM touched WHERE was_unread)
    WHERE user_id = %(user)s
    RETURNING seq, unread
)
SELECT moved.seq, moved.unread, coalesce((SELECT array_agg(id) FROM touched), '{{}}') FROM moved
"""

_NAMED = "id = ANY(%(ids)s)"
_READ = {"column": "read_at", "was_unread": "(archived_at IS NULL)"}
_ARCHIVE = {"column": "archived_at", "was_unread": "(read_at IS NULL)"}
_DELETE = {"column": "deleted_at", "was_unread": "(read_at IS NULL AND archived_at IS NULL)"}


def mark_read(
    *,
    user: User,
    ids: Sequence[int] | None = None,
    all: bool = False,
    now: datetime | None = None,
) -> Changed:
    """Mark these, or all, as read. Reading again changes nothing; ids of others are not there."""
    return _change(user, ids, all, now, reported_as="read", **_READ)


def archive(
    *,
    user: User,
    ids: Sequence[int] | None = None,
    all: bool = False,
    now: datetime | None = None,
) -> Changed:
    """Archive these, or all. They keep their number."""
    return _change(user, ids, all, now, reported_as="hidden", **_ARCHIVE)


def delete(
    *,
    user: User,
    ids: Sequence[int] | None = None,
    all: bool = False,
    now: datetime | None = None,
) -> Changed:
    """Hide these, or all, for good. They keep their number, so that a hole in them always means loss."""
    return _change(user, ids, all, now, reported_as="hidden", **_DELETE)


def read_one(*, user: User, notification_id: int, now: datetime | None = None) -> Notification:
    """Mark one as read. Raises NotFound for another's."""
    notification = selectors.notification_of(user=user, notification_id=notification_id)
    now = now or timezone.now()
    mark_read(user=user, ids=[notification.pk], now=now)
    notification.read_at = notification.read_at or now
    return notification


def mark_clicked(*, user: User, notification_id: int, now: datetime | None = None) -> Notification:
    """Record the first click, which also reads it. Raises NotFound for another's."""
    now = now or timezone.now()
    with unit_of_work():
        notification = read_one(user=user, notification_id=notification_id, now=now)
        Notification.objects.filter(pk=notification.pk, clicked_at=None).update(clicked_at=now)
    notification.clicked_at = notification.clicked_at or now
    return notification


def _change(
    user: User,
    ids: Sequence[int] | None,
    all_of_them: bool,
    now: datetime | None,
    *,
    reported_as: str,
    column: str,
    was_unread: str,
) -> Changed:
    if all_of_them == (ids is not None):
        raise TypeError("Say which: ids, or all")
    visible = "archived_at IS NULL" if column != "archived_at" else "true"
    statement = _CHANGE.format(column=column, was_unread=was_unread, which=visible if all_of_them else _NAMED)
    with unit_of_work(), connection.cursor() as cursor:
        cursor.execute(statement, {"user": user.pk, "now": now or timezone.now(), "ids": list(ids or [])})
        seq, unread, touched = cursor.fetchone() or (0, 0, [])
        if touched:
            changed = {reported_as: sorted(touched)} if len(touched) <= frames.MAX_IDS else {"stale": True}
            hints.push(user_id=user.pk, build=lambda: frames.unread(unread=unread, seq=seq, **changed))
    return Changed(changed=len(touched), seq=seq, unread=unread)
