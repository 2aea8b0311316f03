"""The event row: audit trail, customer's feed, and the source of notifications. And alerts for staff."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Actor(models.TextChoices):
    CUSTOMER = "customer", _("Customer")
    STAFF = "staff", _("Staff")
    SYSTEM = "system", _("System")


class Activity(models.Model):
    """One event that happened to a customer. Written in the transaction that changed the state, never edited."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="activities")
    event = models.CharField(max_length=40)
    activity_type = models.CharField(max_length=20)
    resource_type = models.CharField(max_length=20, blank=True)
    resource_id = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=20)
    status = models.CharField(max_length=12)
    title = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    data = models.JSONField(default=dict)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    actor = models.CharField(max_length=10, choices=Actor.choices, default=Actor.CUSTOMER)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "activities"
        ordering = ["-id"]
        indexes = [
            models.Index(F("user"), F("created_at").desc(), F("id").desc(), name="activity_user_created"),
            models.Index(
                F("user"), F("activity_type"), F("created_at").desc(), F("id").desc(), name="activity_user_type"
            ),
            models.Index(fields=["user", "resource_type", "resource_id"], name="activity_resource"),
            models.Index(fields=["created_at"], name="activity_created"),
        ]

    def __str__(self) -> str:
        return f"{self.event} of {self.user_id}"

    @property
    def content(self) -> tuple[object, ...]:
        """Return all fields but the user's: two events with the same content read the same to two customers."""
        resource, origin = (self.resource_type, self.resource_id), (self.actor, self.ip_address, self.user_agent)
        return self.event, resource, origin, self.created_at, tuple(self.data.items())


class Alert(models.Model):
    """Something staff should look at, once a rule and cause."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged")
        RESOLVED = "resolved", _("Resolved")

    class Severity(models.TextChoices):
        INFO = "info", _("Info")
        WARNING = "warning", _("Warning")
        CRITICAL = "critical", _("Critical")

    rule = models.CharField(max_length=40)
    cause = models.CharField(max_length=120)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="alerts"
    )
    transaction = models.ForeignKey(
        "wallet.Transaction", on_delete=models.PROTECT, null=True, blank=True, related_name="alerts"
    )
    details = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(default=timezone.now)
    handled_at = models.DateTimeField(null=True, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["rule", "cause"], name="activity_alert_once")]

    def __str__(self) -> str:
        return f"{self.rule}: {self.cause}"
