"""One word to those who still wait."""

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
    """Tell everybody who has waited PROGRESS_AFTER_SECONDS, once. How many were told."""
    due = Verification.objects.filter(
        status=Status.WAITING,
        progress_told_at=None,
        created_at__lte=now - timedelta(seconds=settings.PROGRESS_AFTER_SECONDS),
    ).only("pk", "user_id")[:BATCH]
    told: list[UUID] = []
    worker_pool.run_in_this_thread(
        list(due), lambda row: _tell(row.pk, told, now), name=lambda row: str(row.pk), label="progress"
    )
    return len(told)


@unit_of_work()
def _tell(pk: UUID, told: list[UUID], now: datetime) -> None:
    waiting = Verification.objects.filter(pk=pk, status=Status.WAITING, progress_told_at=None)
    if waiting.update(progress_told_at=now) != 1:
        return
    signals.verification_progressed.send(sender=Verification, verification=lock(pk))
    told.append(pk)
