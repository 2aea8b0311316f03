"""What this app does on the news of the apps to its left."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from refunds import services
from verifications.models import Verification
from verifications.signals import verification_ended


@receiver(verification_ended)
def refund_ended_verification(sender: Any, verification: Verification, reason: str, **_: Any) -> None:
    if verification.charged:
        services.refund_verification(verification=verification, reason=reason)
