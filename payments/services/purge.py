"""Delete the payloads of old events: webhooks hold people's names and addresses."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from payments.models import GatewayEvent

_BATCH = 1_000


def purge_events(*, now: datetime) -> int:
    """Delete the payloads of events that were applied and came more than PURGE_EVENTS_DAYS ago. Return how many.

    The rows stay, so that a late duplicate is still recognised. An event that was not applied keeps its payload until
    it is: staff were alerted to it.
    """
    before = now - timedelta(days=settings.PURGE_EVENTS_DAYS)
    due = GatewayEvent.objects.filter(processed_at__isnull=False, payload__isnull=False, received_at__lt=before)
    purged = 0
    while ids := list(due.order_by("received_at").values_list("pk", flat=True)[:_BATCH]):
        purged += due.filter(pk__in=ids).update(payload=None)
    return purged
