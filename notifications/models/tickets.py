"""Passes to the sockets."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models import ApiKey


class Ticket(models.Model):
    """A one-use pass to the sockets (60 s), for the key or session that asked for it. Only its SHA-256 is kept."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    session_key = models.CharField(max_length=40, blank=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Ticket of {self.user_id}"
