"""From events to their rows in the inboxes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.db import DatabaseError, IntegrityError, connection
from msgspec import structs
from psycopg.pq import TransactionStatus

from activity.events import ANNOUNCEMENT
from activity.models import Activity
from config.lib.metrics import notifications_total
from config.lib.unit_of_work import after_commit
from notifications import catalog
from notifications.inbox import rendering
from notifications.models import Notification
from notifications.realtime import frames, hints
from notifications.realtime.frames import ServerFrame

log = logging.getLogger(__name__)

# One statement for the events of any number of customers: the counters move and the rows get their values, or neither.
# An inbox's row is locked until the commit, so numbers are given in the order of the commits and a reader never sees a
# hole. Several inboxes are locked in the order of their users. Of a customer's n events the last gets the counter's new
# value, and the others those before it.
_INSERT = """
WITH event AS (
    SELECT event.*, count(*) OVER (PARTITION BY user_id) - row_number() OVER (PARTITION BY user_id ORDER BY place)
        AS later
    FROM unnest(
        %(users)s::bigint[], %(activities)s::bigint[], %(categories)s::text[], %(priorities)s::text[],
        %(times)s::timestamptz[]
    ) WITH ORDINALITY AS event (user_id, activity_id, category, priority, created_at, place)
    WHERE NOT EXISTS (SELECT 1 FROM notifications_notification known WHERE known.activity_id = event.activity_id)
), inbox AS (
    INSERT INTO notifications_inbox AS inbox (user_id, seq, unread)
    SELECT user_id, count(*), count(*) FROM event GROUP BY user_id ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET seq = inbox.seq + excluded.seq, unread = inbox.unread + excluded.unread
    RETURNING user_id, seq, unread
), added AS (
    INSERT INTO notifications_notification (user_id, seq, activity_id, category, priority, created_at)
    SELECT user_id, seq - later, activity_id, category, priority, created_at
    FROM event JOIN inbox USING (user_id) ORDER BY place
    RETURNING id, activity_id
)
SELECT activity_id, id, seq - later, unread - later
FROM event JOIN inbox USING (user_id) JOIN added USING (activity_id)
"""


class Added(NamedTuple):
    """A new row of an inbox, and what is unread by then."""

    activity: Activity
    pk: int
    seq: int
    unread: int


def notify(*, activities: Sequence[Activity]) -> int:
    """Add a row to the inbox for each of these events that the catalogue has, and have it pushed to the sockets.

    Return how many were added: an event that has a row gets no other. Call inside a transaction. A failure rolls back
    to a savepoint, so it never undoes what the events are about; it is logged CRITICAL, and `repair` makes up for it.
    """
    activities = [activity for activity in activities if activity.event in catalog.CATALOG]
    if not activities:
        return 0
    try:
        added = _insert(activities)
    except Exception as error:  # noqa: BLE001  whatever it is, the money that moved with it stays moved
        _report_failed(activities, error)
        return 0
    after_commit(_count, [row.activity for row in added])
    hints.push_many(build=lambda: _frames(added))
    return len(added)


def _insert(activities: Sequence[Activity]) -> list[Added]:
    """Add the rows in a savepoint.

    It travels with the statement: one round trip, where Django's `atomic` would make three of it.
    """
    notices = [catalog.CATALOG[activity.event] for activity in activities]
    values: dict[str, Any] = {
        "users": [activity.user_id for activity in activities],
        "activities": [activity.pk for activity in activities],
        "categories": [notice.category for notice in notices],
        "priorities": [notice.priority for notice in notices],
        "times": [activity.created_at for activity in activities],
    }
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SAVEPOINT notifying; {_INSERT}; RELEASE SAVEPOINT notifying", values)
            cursor.nextset()
            added = {activity_id: row for activity_id, *row in cursor.fetchall()}
        except DatabaseError:
            if connection.connection.info.transaction_status == TransactionStatus.INERROR:
                cursor.execute("ROLLBACK TO SAVEPOINT notifying; RELEASE SAVEPOINT notifying")
            raise
    return [Added(activity, *added[activity.pk]) for activity in activities if activity.pk in added]


def _report_failed(activities: Sequence[Activity], error: Exception) -> None:
    """Log a line for each category. Leave out events that another repair has added at the same moment."""
    if isinstance(error, IntegrityError):
        known = set(Notification.objects.filter(activity__in=activities).values_list("activity_id", flat=True))
        activities = [activity for activity in activities if activity.pk not in known]
    by_category: dict[str, list[Activity]] = {}
    for activity in activities:
        notifications_total.labels(type=activity.event, success="false").inc()
        by_category.setdefault(catalog.CATALOG[activity.event].category, []).append(activity)
    for category, failed in by_category.items():
        log.critical(
            "Failed to send %s notification" if len(failed) == 1 else "Failed to send %s notifications",
            category,
            extra={
                "activities": [activity.pk for activity in failed],
                "users": sorted({activity.user_id for activity in failed}),
                "notification_types": sorted({activity.event for activity in failed}),
            },
            exc_info=error,
        )


def _frames(added: Sequence[Added]) -> Iterator[tuple[int, ServerFrame]]:
    """Yield the frames of each row with its user. What reads the same to many customers is rendered once."""
    rendered: dict[Any, frames.Notification] = {}
    for activity, pk, seq, unread in added:
        alike = activity.content, activity.user.time_zone
        if alike not in rendered:
            notice = catalog.CATALOG[activity.event]
            row = Notification(
                pk=pk,
                seq=seq,
                user=activity.user,
                activity=activity,
                category=notice.category,
                priority=notice.priority,
                created_at=activity.created_at,
            )
            rendered[alike] = frames.notification(rendering.render(row))
        yield activity.user_id, structs.replace(rendered[alike], id=pk, seq=seq, unread=unread)
        yield activity.user_id, frames.unread(unread=unread, seq=seq)


def _count(added: Sequence[Sequence[Activity]]) -> None:
    """Count and log: a line for each event, and one for all customers of an announcement."""
    for activities in added:
        customers: dict[str, list[Activity]] = {}
        for activity in activities:
            customers.setdefault(activity.event, []).append(activity)
        for event, of_event in customers.items():
            notifications_total.labels(type=event, success="true").inc(len(of_event))
            if event == ANNOUNCEMENT.name and len(of_event) > 1:
                log.info("Notifications sent: Type=%s, Users=%s", event, len(of_event))
                continue
            for activity in of_event:
                log.info(
                    "Notification sent: Type=%s, User=%s",
                    event,
                    activity.user_id,
                    extra={"user": activity.user_id, "notification_type": event, "activity": activity.pk},
                )
