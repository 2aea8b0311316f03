"""Makes good what telling missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from activity import services as activity_services
from activity.models import Activity, Alert
from notifications import catalog, selectors
from notifications.services.tell import notify

_BATCH = 500


@dataclass
class Swept:
    """`missing` events had no row in the inbox; `told` of them have it now."""

    missing: int = 0
    told: int = 0


def sweep(*, now: datetime, since: datetime | None = None) -> Swept:
    """Tell the events between `since` (None: all) and the grace before `now` that have no row in the inbox.

    One event a transaction. A refund that its customer hadn't been told of by then is also an alert for staff.
    """
    swept = Swept()
    until = now - timedelta(seconds=settings.SWEEP_GRACE_SECONDS)
    after = 0
    while batch := list(selectors.untold(since=since, until=until).filter(pk__gt=after).order_by("pk")[:_BATCH]):
        for activity in batch:
            swept.missing += 1
            swept.told += _make_good(activity)
        after = batch[-1].pk
    return swept


def _make_good(activity: Activity) -> bool:
    with transaction.atomic():
        told = notify(activity=activity) is not None
        if activity.event in catalog.REFUND_EVENTS:
            activity_services.raise_alert(
                rule="refund_notification_failed",
                cause=f"activity:{activity.pk}",
                severity=Alert.Severity.CRITICAL,
                user=activity.user,
                details={"activity": activity.pk, "event": activity.event, "told_now": told},
            )
    return told
