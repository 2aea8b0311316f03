"""Empty codes and texts that are no longer needed."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from config.lib.unit_of_work import unit_of_work
from verifications.models import Message, Verification

BATCH = 1000


def purge(*, now: datetime) -> int:
    """Empty the texts and codes of what ended PURGE_AFTER_HOURS ago. Return how many verifications."""
    purged, before = 0, now - timedelta(hours=settings.PURGE_AFTER_HOURS)
    while True:
        with unit_of_work():
            due = list(
                Verification.objects.select_for_update(skip_locked=True)
                .filter(ended_at__lte=before, purged_at=None)
                .order_by("ended_at")
                .values_list("pk", flat=True)[:BATCH]
            )
            Message.objects.filter(verification__in=due).update(text="", code="")
            Verification.objects.filter(pk__in=due).update(purged_at=now)
        if not due:
            return purged
        purged += len(due)
