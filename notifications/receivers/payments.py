"""Payments become frames."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from notifications.realtime import frames, hints
from payments import signals
from payments.models import Payment


@receiver(signals.payment_initiated, dispatch_uid="notifications.payment_initiated")
@receiver(signals.payment_completed, dispatch_uid="notifications.payment_completed")
@receiver(signals.payment_failed, dispatch_uid="notifications.payment_failed")
@receiver(signals.payment_expired, dispatch_uid="notifications.payment_expired")
@receiver(signals.payment_mismatched, dispatch_uid="notifications.payment_mismatched")
def push_payment(payment: Payment, **_kwargs: Any) -> None:
    frame = frames.payment(payment)
    hints.push(user_id=payment.user_id, build=lambda: frame)
