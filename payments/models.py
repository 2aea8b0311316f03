"""Top-ups, and the events that the gateways sent."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.lib import money


def new_reference() -> str:
    return f"pay_{secrets.token_hex(10)}"


class PaymentStatus(models.TextChoices):
    INITIATED = "initiated", _("Not paid yet")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")


class Payment(models.Model):
    """A top-up. Money that arrives counts, whatever state it finds the payment in."""

    TRANSITIONS: ClassVar[dict[PaymentStatus, set[PaymentStatus]]] = {
        PaymentStatus.INITIATED: {PaymentStatus.COMPLETED, PaymentStatus.FAILED, PaymentStatus.EXPIRED},
        PaymentStatus.FAILED: {PaymentStatus.COMPLETED},
        PaymentStatus.EXPIRED: {PaymentStatus.COMPLETED},
        PaymentStatus.COMPLETED: set(),
    }

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payments")
    reference = models.CharField(max_length=40, unique=True, default=new_reference)
    gateway = models.CharField(max_length=20)
    gateway_id = models.CharField(max_length=120, blank=True)
    checkout_url = models.URLField(max_length=2000, blank=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=12, choices=PaymentStatus.choices, default=PaymentStatus.INITIATED)
    failure_reason = models.CharField(max_length=200, blank=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)
    mismatch = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    next_check_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("settle_payment", _("Can ask the gateway about a payment and settle it by the answer"))]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_amount_positive"),
            models.UniqueConstraint(
                fields=["gateway", "gateway_id"], condition=~Q(gateway_id=""), name="payments_gateway_id_unique"
            ),
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="payments_key_unique"),
            models.CheckConstraint(
                condition=Q(status="completed", completed_at__isnull=False)
                | (~Q(status="completed") & Q(completed_at=None)),
                name="payments_completed_has_time",
            ),
        ]
        indexes = [
            models.Index(F("user"), F("created_at").desc(), F("id").desc(), name="payments_user_created"),
            models.Index(fields=["next_check_at"], condition=Q(status="initiated"), name="payments_due"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {money.display(self.amount)} {self.status}"

    @property
    def paid_instead(self) -> str:
        """Return the amount that was paid instead of the requested one, for display; '' where none was."""
        if not self.mismatch:
            return ""
        return money.display(money.to_cents(self.mismatch["paid_amount"]), self.mismatch["paid_currency"])

    @classmethod
    def states_before(cls, status: PaymentStatus) -> list[PaymentStatus]:
        """Return the states from which there is a transition to this one."""
        return [old for old, allowed in cls.TRANSITIONS.items() if status in allowed]


class GatewayEvent(models.Model):
    """A webhook as it came in, stored once. `processed_at` empty means that it still has to be applied.

    `next_attempt_at` empty: it is no longer tried by itself; staff may replay it.
    """

    class Outcome(models.TextChoices):
        APPLIED = "applied", _("Applied")
        IGNORED = "ignored", _("Of no concern to us")

    gateway = models.CharField(max_length=20)
    event_id = models.CharField(max_length=120)
    type = models.CharField(max_length=80)
    payload = models.JSONField(null=True)  # NULL: purged, some time after it was applied
    received_at = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("replay_gatewayevent", _("Can apply a gateway's event again"))]
        constraints = [models.UniqueConstraint(fields=["gateway", "event_id"], name="payments_event_once")]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(processed_at=None), name="payments_event_due"),
            models.Index(
                fields=["received_at"],
                condition=Q(processed_at__isnull=False, payload__isnull=False),
                name="payments_event_to_purge",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.type} {self.event_id}"
