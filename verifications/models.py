"""Catalogue, verifications, messages. Prices are whole cents; the provider's cost may be finer."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.lib import money
from config.lib.secrets.encryption import EncryptedTextField


class Category(models.Model):
    """A kind of service. Services of a blocked one (banking, payments, government, health) can't be bought."""

    slug = models.SlugField(unique=True, max_length=40)
    name = models.CharField(max_length=60)
    blocked = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    """What a number is bought for (a website or an app). `name` is what the provider calls it, `title` what we do."""

    name = models.CharField(max_length=80, unique=True)
    title = models.CharField(max_length=80)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="services")
    blocked = models.BooleanField(default=False, help_text=_("Blocked by itself, whatever its category says"))
    fixed_price = models.BigIntegerField(null=True, blank=True, help_text=_("In cents; empty: cost times markup"))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["title"]
        constraints = [
            models.CheckConstraint(
                condition=Q(fixed_price=None) | Q(fixed_price__gt=0), name="verifications_fixed_price_positive"
            )
        ]

    def __str__(self) -> str:
        return self.title


class Offer(models.Model):
    """A service in a country, as a provider sells it now."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="offers")
    country = models.CharField(max_length=2)
    provider = models.CharField(max_length=20)
    capability = models.CharField(max_length=10, default="sms")
    cost = models.DecimalField(max_digits=10, decimal_places=4, null=True, blank=True)
    price = models.BigIntegerField(null=True, blank=True, help_text=_("In cents; empty: not quoted yet"))
    stock = models.PositiveIntegerField(null=True, blank=True)
    success_rate = models.DecimalField(max_digits=5, decimal_places=4, null=True, blank=True)
    active = models.BooleanField(default=True)
    quoted_at = models.DateTimeField(null=True, blank=True)
    synced_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "country", "provider", "capability"], name="verifications_offer_unique"
            ),
            models.CheckConstraint(condition=Q(price=None) | Q(price__gt=0), name="verifications_offer_price_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.country} {self.capability}"


class Favourite(models.Model):
    """A service that a customer has starred in the shop."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourites")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="favourites")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "service"], name="verifications_favourite_once")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.service_id}"


class Status(models.TextChoices):
    REQUESTED = "requested", _("Requested")
    WAITING = "waiting", _("Waiting for the code")
    COMPLETED = "completed", _("Completed")
    TIMED_OUT = "timed_out", _("No code arrived")
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")


class Settlement(models.TextChoices):
    """What became of our cost at the provider. Only a verification that ended without a code is ever settled."""

    UNSETTLED = "unsettled", _("Not settled")
    RETURNED = "returned", _("Returned by the provider")
    LOST = "lost", _("Kept by the provider")


HOLDS = "verification:"  # with the id after it: the reference of a verification's hold
OPEN = (Status.REQUESTED, Status.WAITING)

# The only transitions there are. requested -> failed was never charged; the other ends of waiting refund, once.
TRANSITIONS: dict[str, frozenset[str]] = {
    Status.REQUESTED: frozenset({Status.WAITING, Status.FAILED}),
    Status.WAITING: frozenset({Status.COMPLETED, Status.TIMED_OUT, Status.CANCELLED, Status.FAILED}),
}


class Verification(models.Model):
    """One number bought for one service, from request to end."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="verifications")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="verifications")
    country = models.CharField(max_length=2)
    capability = models.CharField(max_length=10, default="sms")
    area_code = models.CharField(max_length=3, blank=True)
    price = models.BigIntegerField()
    cost = models.DecimalField(max_digits=10, decimal_places=4, null=True, blank=True)
    currency = models.CharField(max_length=3)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)
    failure_reason = models.CharField(max_length=200, blank=True)
    charged = models.BooleanField(default=False)

    idempotency_key = models.CharField(max_length=255, null=True, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    answered_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the first request was answered; its replays wait for it")
    )

    provider = models.CharField(max_length=20)
    provider_id = models.CharField(max_length=80, blank=True)
    phone_number = models.CharField(max_length=20, blank=True)

    created_at = models.DateTimeField(default=timezone.now)
    sold_at = models.DateTimeField(
        null=True, blank=True, help_text=_("The provider's own time of the sale: an older text is not ours")
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    next_poll_at = models.DateTimeField(null=True, blank=True)
    polls = models.PositiveIntegerField(default=0)
    next_recovery_at = models.DateTimeField(null=True, blank=True)
    unclear_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When its owner was told that the provider's answer to the order is unclear")
    )
    progress_told_at = models.DateTimeField(null=True, blank=True)
    lock_failures = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text=_("How often in a row background work found it, or its wallet, locked")
    )
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_claimed_at = models.DateTimeField(null=True, blank=True)
    # What the provider answered to those that came too early, and how many these were.
    cancel_not_before = models.DateTimeField(null=True, blank=True)
    early_cancels = models.PositiveSmallIntegerField(default=0, db_default=0)
    settlement = models.CharField(
        max_length=10,
        choices=Settlement.choices,
        default=Settlement.UNSETTLED,
        db_default=Settlement.UNSETTLED.value,
        help_text=_("What became of our cost at the provider, after an end without a code"),
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    purged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="verifications_key_unique"),
            models.UniqueConstraint(
                fields=["provider", "provider_id"],
                condition=~Q(provider_id=""),
                name="verifications_provider_id_unique",
            ),
            models.CheckConstraint(condition=Q(price__gt=0), name="verifications_price_positive"),
            models.CheckConstraint(
                condition=~Q(status__in=["waiting", "completed", "timed_out", "cancelled"]) | Q(charged=True),
                name="verifications_sold_means_charged",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["requested", "waiting"], ended_at=None)
                | (~Q(status__in=["requested", "waiting"]) & Q(ended_at__isnull=False)),
                name="verifications_ended_at_with_end",
            ),
            models.CheckConstraint(
                condition=Q(settlement="unsettled")
                | Q(settlement__in=["returned", "lost"], status__in=["timed_out", "cancelled", "failed"]),
                name="verifications_settlement_after_end",
            ),
        ]
        indexes = [
            models.Index(F("user"), F("created_at").desc(), F("id").desc(), name="verifications_user_created"),
            models.Index(
                fields=["user"], condition=Q(status__in=["requested", "waiting"]), name="verifications_user_open"
            ),
            models.Index(fields=["next_poll_at"], condition=Q(status="waiting"), name="verifications_poll_due"),
            models.Index(fields=["expires_at"], condition=Q(status="waiting"), name="verifications_expiry"),
            models.Index(
                fields=["next_recovery_at"],
                condition=Q(next_recovery_at__isnull=False),
                name="verifications_recovery_due",
            ),
            models.Index(
                fields=["ended_at"], condition=Q(purged_at=None, ended_at__isnull=False), name="verifications_purge_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status} {money.display(self.price)}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_cancelling(self) -> bool:
        """Return whether its owner has asked for a cancel that the provider has not confirmed yet."""
        return self.is_open and self.cancel_requested_at is not None

    @property
    def shown_until(self) -> datetime | None:
        """Return when the start page stops showing its code. None while it is open."""
        return self.ended_at and self.ended_at + timedelta(seconds=settings.CODE_AT_HAND_SECONDS)

    @property
    def hold_reference(self) -> str:
        return f"{HOLDS}{self.pk}"


class Message(models.Model):
    """A text that arrived. Encrypted at rest, emptied by the purge."""

    verification = models.ForeignKey(Verification, on_delete=models.CASCADE, related_name="messages")
    vendor_id = models.CharField(
        max_length=80,
        blank=True,
        default="",
        db_default="",
        help_text=_("The provider's id of it; empty while only a webhook brought it"),
    )
    digest = models.CharField(
        max_length=64,
        help_text=_("Keyed hash of sender and text: with the time it tells whether a push and a pull are one message"),
    )
    sender = models.CharField(max_length=40, blank=True)
    text = EncryptedTextField()
    code = EncryptedTextField()
    received_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["received_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["verification", "vendor_id"],
                condition=~Q(vendor_id=""),
                name="verifications_message_vendor_id_once",
            )
        ]

    def __str__(self) -> str:
        return f"Message {self.pk} of {self.verification_id}"
