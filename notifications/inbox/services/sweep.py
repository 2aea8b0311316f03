"""Makes good what telling missed."""

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
class Swept:
    """`missing` events had no row in the inbox; `told` of them have it now."""

    missing: int = 0
    told: int = 0


def sweep(*, now: datetime, since: datetime | None = None) -> Swept:
    """Tell the events between `since` (None: all) and the grace before `now` that have no row in the inbox.

    One event a transaction. A refund that its customer hadn't been told of by then is also an alert for staff. Where
    somebody holds a customer's inbox locked, what is missing there waits for the next sweep.
    """
    swept = Swept()
    locked: set[int] = set()
    until = now - timedelta(seconds=settings.SWEEP_GRACE_SECONDS)
    after = 0
    while batch := list(selectors.untold(since=since, until=until).filter(pk__gt=after).order_by("pk")[:_BATCH]):
        for activity in batch:
            swept.missing += 1
            if activity.user_id not in locked:
                swept.told += _made_good(activity, locked)
        after = batch[-1].pk
    return swept


def _made_good(activity: Activity, locked: set[int]) -> bool:
    try:
        return _make_good(activity)
    except OperationalError as error:
        if not limits.is_lock_timeout(error):
            raise
        locked.add(activity.user_id)
        rows_put_aside_total.labels(work="sweep", why="locked").inc()
        log.warning("The inbox of user %s is locked; event %s waits", activity.user_id, activity.pk)
        return False


def _make_good(activity: Activity) -> bool:
    with unit_of_work():
        _lock_inbox(activity.user_id)
        told = bool(notify(activities=[activity]))
        if activity.event in catalog.REFUND_EVENTS:
            activity_services.raise_alert(
                rule="refund_notification_failed",
                cause=f"activity:{activity.pk}",
                severity=Alert.Severity.CRITICAL,
                user=activity.user,
                details={"activity": activity.pk, "event": activity.event, "told_now": told},
            )
    return told


def _lock_inbox(user_id: int) -> None:
    """Lock it, where there is one, before telling: what fails there is caught and logged as lost (`notify`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM notifications_inbox WHERE user_id = %s FOR UPDATE", [user_id])
