"""From one event of many customers to a row in each inbox."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from django.db import connection, transaction
from msgspec import structs

from activity.models import Activity
from config.lib.metrics import notifications_total
from notifications import catalog
from notifications.inbox import selectors
from notifications.models import Notification
from notifications.realtime import frames, hints

log = logging.getLogger(__name__)

# As `tell._TELL`, for many; the inboxes are locked in the order of their users.
_TELL_ALL = """
WITH event AS (
    SELECT * FROM unnest(%(users)s::bigint[], %(activities)s::bigint[]) AS event (user_id, activity_id)
    WHERE NOT EXISTS (SELECT 1 FROM notifications_notification told WHERE told.activity_id = event.activity_id)
), moved AS (
    INSERT INTO notifications_inbox AS inbox (user_id, seq, unread)
    SELECT user_id, 1, 1 FROM event ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET seq = inbox.seq + 1, unread = inbox.unread + 1
    RETURNING user_id, seq, unread
), told AS (
    INSERT INTO notifications_notification (user_id, seq, activity_id, category, priority, created_at)
    SELECT user_id, seq, activity_id, %(category)s, %(priority)s, %(created_at)s FROM moved JOIN event USING (user_id)
    RETURNING id, user_id, seq
)
SELECT user_id, id, seq, unread FROM told JOIN moved USING (user_id, seq)
"""

Told = Mapping[int, tuple[int, int, int]]  # by user: the row's id, its seq, and how many are unread


def notify_all(*, activities: Sequence[Activity]) -> int:
    """Tell each customer of the same event, each named once. How many were told.

    As `notify`: a failure rolls back to a savepoint, is logged CRITICAL, and `sweep` makes it good. Events that read
    differently for each customer (with a code) are for `notify`.
    """
    first = activities[0]
    notice = catalog.CATALOG.get(first.event)
    if notice is None:
        return 0
    if first.event in catalog.READ_WHEN_SHOWN:
        raise ValueError(f"{first.event} reads differently for each customer")
    try:
        with transaction.atomic():
            told = _write(activities, notice)
    except Exception as error:
        notifications_total.labels(type=first.event, success="false").inc(len(activities))
        log.critical(
            "Failed to send %s notifications",
            first.event,
            extra={"activities": len(activities), "first": first.pk},
            exc_info=error,
        )
        return 0
    hints.push_many(build=lambda: _frames(activities, notice, told))
    transaction.on_commit(
        lambda: notifications_total.labels(type=first.event, success="true").inc(len(told)), robust=True
    )
    return len(told)


def _write(activities: Sequence[Activity], notice: catalog.Notice) -> Told:
    with connection.cursor() as cursor:
        cursor.execute(
            _TELL_ALL,
            {
                "users": [activity.user_id for activity in activities],
                "activities": [activity.pk for activity in activities],
                "category": notice.category,
                "priority": notice.priority,
                "created_at": activities[0].created_at,
            },
        )
        return {user_id: (pk, seq, unread) for user_id, pk, seq, unread in cursor.fetchall()}


def _frames(
    activities: Sequence[Activity], notice: catalog.Notice, told: Told
) -> Iterator[tuple[int, frames.ServerFrame]]:
    """Rendered once for each time zone: the words are the same."""
    shown: dict[str, frames.Notification] = {}
    for activity in activities:
        if activity.user_id not in told:
            continue
        pk, seq, unread = told[activity.user_id]
        zone = activity.user.time_zone
        if zone not in shown:
            row = Notification(
                pk=pk,
                seq=seq,
                user=activity.user,
                activity=activity,
                category=notice.category,
                priority=notice.priority,
                created_at=activity.created_at,
            )
            shown[zone] = frames.notification(selectors.render(row))
        yield activity.user_id, structs.replace(shown[zone], id=pk, seq=seq, unread=unread)
        yield activity.user_id, frames.unread(unread=unread, seq=seq)
