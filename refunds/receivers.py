"""Receivers of the signals of the apps to the left."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from refunds import services
from verifications.models import Verification
from verifications.signals import refund_due


@receiver(refund_due)
def refund_ended_verification(sender: Any, verification: Verification, reason: str, **_: Any) -> None:
    if verification.charged:
        services.refund_verification(verification=verification, reason=reason)
