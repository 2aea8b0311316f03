"""The inbox: a customer's notifications, in an order without holes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activity.models import Activity


class Inbox(models.Model):
    """A customer's counters, moved in the statement that adds or reads a row: the badge is one row read, and right."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="inbox"
    )
    seq = models.BigIntegerField(default=0)
    unread = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "inboxes"
        constraints = [models.CheckConstraint(condition=Q(unread__gte=0), name="notifications_unread_not_negative")]

    def __str__(self) -> str:
        return f"Inbox of {self.user_id}"


class Notification(models.Model):
    """One event in its customer's inbox, rendered when shown. Hidden rows keep their `seq`: a hole means loss."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notifications")
    seq = models.BigIntegerField()
    activity = models.OneToOneField(Activity, on_delete=models.PROTECT, related_name="notification")
    category = models.CharField(max_length=20)
    priority = models.CharField(max_length=10)
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-seq"]
        permissions = [("announce", _("Can announce something to one customer or to all"))]
        constraints = [models.UniqueConstraint(fields=["user", "seq"], name="notifications_seq_unique")]
        indexes = [
            models.Index(F("user"), F("created_at").desc(), F("id").desc(), name="notifications_user_created"),
            models.Index(
                F("user"),
                F("seq").desc(),
                condition=Q(read_at=None, deleted_at=None, archived_at=None),
                name="notifications_unread",
            ),
            models.Index(F("user"), F("category"), F("seq").desc(), name="notifications_user_category"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}:{self.seq}"
