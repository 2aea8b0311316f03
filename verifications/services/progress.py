"""Notify customers whose code takes longer than usual."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from config.lib.unit_of_work import unit_of_work
from verifications import signals
from verifications.models import Status, Verification
from verifications.services import worker_pool
from verifications.services.transitions import lock

BATCH = 1000


def notify_progress(*, now: datetime) -> int:
    """Notify, once, each customer who has waited PROGRESS_AFTER_SECONDS. Return how many were notified."""
    due = Verification.objects.filter(
        status=Status.WAITING,
        progress_told_at=None,
        created_at__lte=now - timedelta(seconds=settings.PROGRESS_AFTER_SECONDS),
    ).only("pk", "user_id")[:BATCH]
    notified: list[UUID] = []
    worker_pool.run_in_this_thread(
        list(due), lambda row: _notify(row.pk, notified, now), name=lambda row: str(row.pk), label="progress"
    )
    return len(notified)


@unit_of_work()
def _notify(pk: UUID, notified: list[UUID], now: datetime) -> None:
    waiting = Verification.objects.filter(pk=pk, status=Status.WAITING, progress_told_at=None)
    if waiting.update(progress_told_at=now) != 1:
        return
    signals.verification_progressed.send(sender=Verification, verification=lock(pk))
    notified.append(pk)
