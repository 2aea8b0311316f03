"""One word to those who still wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from verifications import signals
from verifications.models import Status, Verification
from verifications.services.moves import lock

BATCH = 1000


def tell_progress(*, now: datetime) -> int:
    """Tell everybody who has waited PROGRESS_AFTER_SECONDS, once. How many were told."""
    due = Verification.objects.filter(
        status=Status.WAITING,
        progress_told_at=None,
        created_at__lte=now - timedelta(seconds=settings.PROGRESS_AFTER_SECONDS),
    ).values_list("pk", flat=True)[:BATCH]
    return sum(_tell(pk, now) for pk in list(due))


@transaction.atomic
def _tell(pk: UUID, now: datetime) -> bool:
    waiting = Verification.objects.filter(pk=pk, status=Status.WAITING, progress_told_at=None)
    if waiting.update(progress_told_at=now) != 1:
        return False
    signals.verification_progressed.send(sender=Verification, verification=lock(pk))
    return True
