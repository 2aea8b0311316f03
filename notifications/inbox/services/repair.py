"""Adding the rows that failed to be written with their events."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, connection

from activity import services as activity_services
from activity.models import Activity, Alert
from config.lib.metrics import rows_put_aside_total
from config.lib.postgres import limits
from config.lib.unit_of_work import unit_of_work
from notifications import catalog
from notifications.inbox import selectors
from notifications.inbox.services.notifying import notify

log = logging.getLogger(__name__)

_BATCH = 500


@dataclass
class Repaired:
    """`missing` events had no row in the inbox; `notified` of them have it now."""

    missing: int = 0
    notified: int = 0


def repair(*, now: datetime, since: datetime | None = None) -> Repaired:
    """Add the rows that are missing in the inboxes for events between `since` (None: all) and the grace before `now`.

    One event a transaction. A refund whose customer was not notified by then is also an alert for staff. Where a
    customer's inbox is locked by another transaction, what is missing there waits for the next time.
    """
    repaired = Repaired()
    locked: set[int] = set()
    until = now - timedelta(seconds=settings.SWEEP_GRACE_SECONDS)
    after = 0
    while batch := list(selectors.not_notified(since=since, until=until).filter(pk__gt=after).order_by("pk")[:_BATCH]):
        for activity in batch:
            repaired.missing += 1
            if activity.user_id in locked:
                continue
            try:
                repaired.notified += _add_missing(activity)
            except OperationalError as error:
                if not limits.is_lock_timeout(error):
                    raise
                locked.add(activity.user_id)
                rows_put_aside_total.labels(work="sweep", why="locked").inc()
                log.warning("The inbox of user %s is locked; event %s waits", activity.user_id, activity.pk)
        after = batch[-1].pk
    return repaired


@unit_of_work()
def _add_missing(activity: Activity) -> bool:
    with connection.cursor() as cursor:  # locked first, since a failure inside `notify` is caught and logged as lost
        cursor.execute("SELECT FROM notifications_inbox WHERE user_id = %s FOR UPDATE", [activity.user_id])
    is_notified = notify(activities=[activity]) == 1
    if activity.event in catalog.REFUND_EVENTS:
        activity_services.raise_alert(
            rule="refund_notification_failed",
            cause=f"activity:{activity.pk}",
            severity=Alert.Severity.CRITICAL,
            user=activity.user,
            details={"activity": activity.pk, "event": activity.event, "told_now": is_notified},
        )
    return is_notified
