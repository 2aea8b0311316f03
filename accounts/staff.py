"""What staff have access to: by their permissions, and with a second factor where it is required."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from accounts.models import User

# Needed to watch the console's socket: transactions, alerts, health.
CONSOLE_FEED = ("wallet.view_transaction", "activity.view_alert")


def lacks_second_factor(user: User) -> bool:
    """Return whether the user must set up two-factor authentication before having access to anything for staff."""
    return settings.CONSOLE_REQUIRES_MFA and not is_mfa_enabled(user, types=[Authenticator.Type.TOTP])


def has_access(user: User, permissions: Sequence[str]) -> bool:
    """Return whether this user is staff, has all the permissions and, where it is required, a second factor."""
    return user.is_active and user.is_staff and user.has_perms(permissions) and not lacks_second_factor(user)


def users_with_access(permissions: Sequence[str], *, among: Collection[int]) -> set[int]:
    """Return the ids of those users for whom `has_access` holds, by one statement; none for an empty `among`."""
    if not among:
        return set()
    users = User.objects.filter(pk__in=among, is_active=True, is_staff=True)
    for permission in permissions:
        users = users.filter(pk__in=ModelBackend().with_perm(permission).values("pk"))  # superusers are among them
    if settings.CONSOLE_REQUIRES_MFA:
        users = users.filter(pk__in=Authenticator.objects.filter(type=Authenticator.Type.TOTP).values("user_id"))
    return set(users.values_list("pk", flat=True))
