"""Wallets, their journal and their holds. Amounts are whole cents."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.lib import money


class JournalIsImmutable(Exception):
    """Journal rows can't be changed or deleted; a correction is a new row."""


class Wallet(models.Model):
    """A customer's prepaid money. `version` is the sequence of the last journal row."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="wallet")
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    version = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(held__gte=0), name="wallet_held_not_negative"),
            models.CheckConstraint(condition=Q(balance__gte=F("held")), name="wallet_balance_covers_held"),
        ]

    def __str__(self) -> str:
        return f"Wallet {self.pk}: {money.display(self.balance)}"

    @property
    def available(self) -> int:
        return self.balance - self.held


class TransactionType(models.TextChoices):
    CREDIT = "credit", _("Top-up")
    BONUS = "bonus", _("Bonus")
    DEBIT = "debit", _("Fee")
    SMS_PURCHASE = "sms_purchase", _("Number purchase")
    VERIFICATION_REFUND = "verification_refund", _("Refund for a number")
    PAYMENT_REFUND = "payment_refund", _("Refund to your card")
    CHARGEBACK = "chargeback", _("Chargeback")
    ADJUSTMENT = "adjustment", _("Adjustment")


class Counterparty(models.TextChoices):
    STRIPE = "gateway:stripe"
    PAYSTACK = "gateway:paystack"
    SALES = "sales"
    PROMOTIONS = "promotions"
    FEES = "fees"
    RECEIVABLE = "receivable"
    CORRECTIONS = "corrections"


class TransactionQuerySet(models.QuerySet["Transaction"]):
    def update(self, **kwargs: Any) -> int:
        raise JournalIsImmutable("The journal is never changed: post a correcting row instead.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise JournalIsImmutable("The journal is never deleted from: post a correcting row instead.")

    def bulk_create(self, *args: Any, **kwargs: Any) -> Any:
        raise JournalIsImmutable("Journal rows are posted by wallet.services, and never created otherwise.")


class Transaction(models.Model):
    """A journal row: a double-entry transfer of `amount` between a wallet and a named counterparty.

    Only the database function `wallet_post` (wallet/sql/) inserts rows, and a trigger refuses any change.
    """

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="transactions")
    sequence = models.BigIntegerField()
    amount = models.BigIntegerField()
    type = models.CharField(max_length=24, choices=TransactionType.choices)
    counterparty = models.CharField(max_length=24, choices=Counterparty.choices)
    balance_after = models.BigIntegerField()
    reference = models.CharField(max_length=120, unique=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by")
    description = models.CharField(max_length=200)
    service = models.CharField(max_length=80, blank=True)
    resource_type = models.CharField(max_length=20, blank=True)
    resource_id = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=12, default="completed")
    created_at = models.DateTimeField(default=timezone.now)

    objects = TransactionQuerySet.as_manager()

    is_new: bool  # set by wallet.services: False for the existing row of a replayed reference

    class Meta:
        ordering = ["-id"]
        permissions = [("export_transaction", _("Can export transactions"))]
        constraints = [
            models.UniqueConstraint(fields=["wallet", "sequence"], name="wallet_transaction_sequence_unique"),
            models.CheckConstraint(condition=~Q(amount=0), name="wallet_transaction_amount_not_zero"),
            models.CheckConstraint(condition=Q(balance_after__gte=0), name="wallet_transaction_balance_not_negative"),
            models.CheckConstraint(condition=Q(type__in=TransactionType.values), name="wallet_transaction_type_known"),
            models.CheckConstraint(
                condition=Q(counterparty__in=Counterparty.values), name="wallet_transaction_counterparty_known"
            ),
        ]
        indexes = [
            models.Index(F("created_at").desc(), F("id").desc(), name="wallet_tx_created"),
            models.Index(F("wallet"), F("created_at").desc(), F("id").desc(), name="wallet_tx_wallet_created"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {money.display(self.amount)}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise JournalIsImmutable("Journal rows are posted by wallet.services, and never saved.")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise JournalIsImmutable("The journal is never deleted from: post a correcting row instead.")


class HoldStatus(models.TextChoices):
    ACTIVE = "active", _("Held")
    CAPTURED = "captured", _("Charged")
    RELEASED = "released", _("Released")


class Hold(models.Model):
    """Money reserved for an operation in progress; captured or released once."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="holds")
    amount = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=HoldStatus.choices, default=HoldStatus.ACTIVE)
    reference = models.CharField(max_length=110, unique=True)
    description = models.CharField(max_length=200)
    service = models.CharField(max_length=80, blank=True)
    resource_type = models.CharField(max_length=20, blank=True)
    resource_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)

    is_new: bool  # set by wallet.services.hold: False for the existing hold of a replayed reference

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="wallet_hold_amount_positive"),
            models.CheckConstraint(
                condition=Q(status="active", resolved_at=None) | (~Q(status="active") & Q(resolved_at__isnull=False)),
                name="wallet_hold_resolved_once",
            ),
        ]
        indexes = [models.Index(fields=["wallet"], condition=Q(status="active"), name="wallet_hold_active")]

    def __str__(self) -> str:
        return f"{self.reference} {money.display(self.amount)} {self.status}"
