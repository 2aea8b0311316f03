"""Which staff may open a staff door: those with its permissions and a second factor of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from accounts.models import User

# What the console's socket shows: money as it moves, alerts, health.
WATCH_CONSOLE = ("wallet.view_transaction", "activity.view_alert")


def lacks_second_factor(user: User) -> bool:
    """Return whether the user must set up two-factor authentication before a staff door opens."""
    return settings.CONSOLE_REQUIRES_MFA and not is_mfa_enabled(user, types=[Authenticator.Type.TOTP])


def may(user: User, permissions: Sequence[str]) -> bool:
    """Return whether this user is staff, has all the permissions and, where it is required, a second factor."""
    return user.is_active and user.is_staff and user.has_perms(permissions) and not lacks_second_factor(user)


def who_may(permissions: Sequence[str], *, among: Collection[int]) -> set[int]:
    """Return the ids of those users for whom `may` holds, in one statement. Empty without one where nobody is named."""
    if not among:
        return set()
    users = User.objects.filter(pk__in=among, is_active=True, is_staff=True)
    for permission in permissions:
        users = users.filter(pk__in=ModelBackend().with_perm(permission).values("pk"))  # superusers are among them
    if settings.CONSOLE_REQUIRES_MFA:
        users = users.filter(pk__in=Authenticator.objects.filter(type=Authenticator.Type.TOTP).values("user_id"))
    return set(users.values_list("pk", flat=True))
