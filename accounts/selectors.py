"""Reads of this app."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import ApiKey, PolicyAcceptance, User


def customer(request: Any) -> User:
    """Return the signed-in user of a view that requires one."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("This view must require a signed-in user.")
    return user


def accepted_policy(*, user: User) -> bool:
    """Return whether the user accepted the policy's current version."""
    return PolicyAcceptance.objects.filter(user=user, version=settings.POLICY_VERSION).exists()


def acceptance_of(*, user: User) -> PolicyAcceptance | None:
    """Return the user's acceptance of the policy's current version, None where there is none."""
    return PolicyAcceptance.objects.filter(user=user, version=settings.POLICY_VERSION).first()


def live_keys_of(*, user: User, now: datetime) -> QuerySet[ApiKey]:
    """Return the user's keys that still work."""
    return keys_of(user=user).exclude(expires_at__lte=now)


def keys_of(*, user: User) -> QuerySet[ApiKey]:
    """Return the user's keys that were not revoked, newest first."""
    return ApiKey.objects.filter(user=user, revoked_at=None)
