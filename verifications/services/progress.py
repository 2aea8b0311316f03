"""Notify customers whose code takes longer than usual."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from config.lib.sweep import Rows
from config.lib.unit_of_work import unit_of_work
from verifications import signals
from verifications.models import Status, Verification
from verifications.services.transitions import lock

BATCH = 1000


def notify_progress(*, now: datetime) -> int:
    """Notify, once, each customer who has waited PROGRESS_AFTER_SECONDS. Return how many were notified."""
    due = Verification.objects.filter(
        status=Status.WAITING,
        progress_told_at=None,
        created_at__lte=now - timedelta(seconds=settings.PROGRESS_AFTER_SECONDS),
    ).only("pk", "user_id")[:BATCH]
    notified: list[Verification] = []

    @unit_of_work()
    def notify(row: Verification) -> None:
        waiting = Verification.objects.filter(pk=row.pk, status=Status.WAITING, progress_told_at=None)
        if waiting.update(progress_told_at=now) == 1:
            signals.verification_progressed.send(sender=Verification, verification=lock(row.pk))
            notified.append(row)

    Rows(notify, label="progress").one_by_one(list(due))
    return len(notified)
