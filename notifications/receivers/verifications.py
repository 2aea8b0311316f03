"""Verifications become frames."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from notifications.realtime import frames, hints
from verifications import selectors, signals
from verifications.models import Verification


@receiver(signals.verification_requested, dispatch_uid="notifications.verification_requested")
@receiver(signals.number_purchased, dispatch_uid="notifications.number_purchased")
@receiver(signals.verification_refused, dispatch_uid="notifications.verification_refused")
@receiver(signals.verification_progressed, dispatch_uid="notifications.verification_progressed")
@receiver(signals.verification_completed, dispatch_uid="notifications.verification_completed")
@receiver(signals.verification_ended, dispatch_uid="notifications.verification_ended")
@receiver(signals.verification_updated, dispatch_uid="notifications.verification_updated")
def push_verification(verification: Verification, **_kwargs: Any) -> None:
    """Push it as it stands after the commit: read again, since the service may go on with the instance."""
    hints.push(
        user_id=verification.user_id,
        build=lambda: frames.verification(selectors.current_summary(verification)),
    )
