"""Refunds."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.lib import money
from verifications.models import Verification
from wallet.models import Transaction


def new_reference() -> str:
    return f"ref_{secrets.token_hex(10)}"


class RefundStatus(models.TextChoices):
    INITIATED = "initiated", _("Initiated")
    PROCESSING = "processing", _("Processing")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class Refund(models.Model):
    """A refund. Refunds of verifications that ended without a code are `automatic`, and `completed` at once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="refunds")
    reference = models.CharField(max_length=40, unique=True, default=new_reference)
    verification = models.ForeignKey(
        Verification, on_delete=models.PROTECT, null=True, blank=True, related_name="refunds"
    )
    transaction = models.OneToOneField(
        Transaction, on_delete=models.PROTECT, null=True, blank=True, related_name="refund"
    )
    amount = models.BigIntegerField()
    status = models.CharField(max_length=12, choices=RefundStatus.choices, default=RefundStatus.INITIATED)
    reason = models.CharField(max_length=200)
    automatic = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refunds_amount_positive"),
            models.UniqueConstraint(
                fields=["verification"],
                condition=~Q(status__in=["failed", "cancelled"]),
                name="refunds_one_per_verification",
            ),
        ]
        indexes = [models.Index(F("user"), F("created_at").desc(), F("id").desc(), name="refunds_user_created")]

    def __str__(self) -> str:
        return f"{self.reference} {money.display(self.amount)} {self.status}"
