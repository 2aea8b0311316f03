"""Reads of this app."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import ApiKey, PolicyAcceptance, User


def accepted_policy(*, user: User) -> bool:
    """Whether the user accepted the policy's current version."""
    return PolicyAcceptance.objects.filter(user=user, version=settings.POLICY_VERSION).exists()


def keys_of(*, user: User) -> QuerySet[ApiKey]:
    """The user's live keys, newest first."""
    return ApiKey.objects.filter(user=user, revoked_at=None)
