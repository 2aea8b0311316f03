"""From an event to its row in the inbox."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, IntegrityError, connection, transaction
from psycopg.pq import TransactionStatus

from activity.models import Activity
from config.lib.metrics import notifications_total
from notifications import catalog
from notifications.inbox import selectors
from notifications.models import Notification
from notifications.realtime import frames, hints

log = logging.getLogger(__name__)

# One statement: the counters move and the row gets their value, or neither. The inbox's row is locked until the commit,
# so numbers are given in the order of the commits and a reader never sees a hole.
_TELL = """
WITH moved AS (
    INSERT INTO notifications_inbox AS inbox (user_id, seq, unread)
    SELECT %(user)s, 1, 1
    WHERE NOT EXISTS (SELECT 1 FROM notifications_notification WHERE activity_id = %(activity)s)
    ON CONFLICT (user_id) DO UPDATE SET seq = inbox.seq + 1, unread = inbox.unread + 1
    RETURNING user_id, seq, unread
)
INSERT INTO notifications_notification (user_id, seq, activity_id, category, priority, created_at)
SELECT user_id, seq, %(activity)s, %(category)s, %(priority)s, %(created_at)s FROM moved
RETURNING id, seq, (SELECT unread FROM moved)
"""


def notify(*, activity: Activity) -> Notification | None:
    """Tell the customer of this event: a row in the inbox and a hint to the sockets.

    None where the catalogue doesn't tell such events, where it is told already, or where telling failed: that rolls
    back to a savepoint, never harms what the event is about, is logged CRITICAL, and `sweep` makes it good.
    """
    notice = catalog.CATALOG.get(activity.event)
    if notice is None:
        return None
    try:
        return _tell(activity, notice)
    except IntegrityError as error:
        if not Notification.objects.filter(activity=activity).exists():
            _failed(activity, error)
    except Exception as error:  # noqa: BLE001  whatever it is, the money that it tells about stays moved
        _failed(activity, error)
    return None


def _failed(activity: Activity, error: Exception) -> None:
    notifications_total.labels(type=activity.event, success="false").inc()
    log.critical(
        "Failed to send %s notification",
        catalog.CATALOG[activity.event].category,
        extra={"activity": activity.pk, "user": activity.user_id, "notification_type": activity.event},
        exc_info=error,
    )


def _tell(activity: Activity, notice: catalog.Notice) -> Notification | None:
    row = _write(
        {
            "user": activity.user_id,
            "activity": activity.pk,
            "category": notice.category,
            "priority": notice.priority,
            "created_at": activity.created_at,
        }
    )
    if row is None:
        return None
    pk, seq, unread = row
    notification = Notification(
        pk=pk,
        seq=seq,
        user=activity.user,
        activity=activity,
        category=notice.category,
        priority=notice.priority,
        created_at=activity.created_at,
    )
    _announce(notification, unread)
    return notification


def _write(values: dict[str, Any]) -> tuple[int, int, int] | None:
    """The statement in its savepoint: one round trip, where Django's own `atomic` makes three of it."""
    if not connection.in_atomic_block:
        with transaction.atomic():
            return _write(values)
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SAVEPOINT telling; {_TELL}; RELEASE SAVEPOINT telling", values)
            cursor.nextset()
            row: tuple[int, int, int] | None = cursor.fetchone()
        except DatabaseError:
            if connection.connection.info.transaction_status == TransactionStatus.INERROR:
                cursor.execute("ROLLBACK TO SAVEPOINT telling; RELEASE SAVEPOINT telling")
            raise
    return row


def _announce(notification: Notification, unread: int) -> None:
    user_id, seq = notification.user_id, notification.seq
    transaction.on_commit(lambda: _count(notification.activity), robust=True)
    hints.push(user_id=user_id, build=lambda: frames.notification(selectors.render(notification), unread=unread))
    hints.push(user_id=user_id, build=lambda: frames.unread(unread=unread, seq=seq))


def _count(activity: Activity) -> None:
    notifications_total.labels(type=activity.event, success="true").inc()
    log.info(
        "Notification sent: Type=%s, User=%s",
        activity.event,
        activity.user_id,
        extra={"user": activity.user_id, "notification_type": activity.event, "activity": activity.pk},
    )
