"""Announce by our signals what the sign-in libraries report."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.contrib.auth import signals as auth
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import signals
from accounts.http import forget_addresses
from accounts.models import User
from config.lib.http import client_ip
from config.lib.unit_of_work import unit_of_work


def _origin(request: HttpRequest | None) -> dict[str, Any]:
    """Return the address and the user agent that a signal carries."""
    if request is None:
        return {"ip_address": None, "user_agent": ""}
    return {"ip_address": client_ip(request), "user_agent": request.headers.get("User-Agent", "")[:300]}


@receiver(auth.user_logged_in)
def announce_sign_in(sender: Any, request: HttpRequest | None, user: User, **_: Any) -> None:
    with unit_of_work():
        signals.signed_in.send(sender=User, user=user, **_origin(request))


@receiver(auth.user_logged_in)
def forget_typed_addresses(sender: Any, request: HttpRequest | None, user: User, **_: Any) -> None:
    if request is not None:
        forget_addresses(request)


@receiver(auth.user_login_failed)
def announce_failed_sign_in(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    email = credentials.get("email") or credentials.get("username") or ""
    user = User.objects.filter(email__iexact=str(email)).first() if email else None
    if user is not None:
        with unit_of_work():
            signals.sign_in_failed.send(sender=User, user=user, **_origin(request))


def _announcing(what: str) -> Any:
    def announce(sender: Any, user: User, authenticator: Authenticator | None = None, **_: Any) -> None:
        codes = authenticator is not None and authenticator.type == Authenticator.Type.RECOVERY_CODES
        with unit_of_work():
            signals.settings_changed.send(sender=User, user=user, what="Recovery codes" if codes else what)

    return announce


_SETTINGS = (
    (account.password_changed, "Password"),
    (account.password_reset, "Password"),
    (account.password_set, "Password"),
    (account.email_added, "E-mail address"),
    (account.email_changed, "E-mail address"),
    (account.email_removed, "E-mail address"),
    (mfa.authenticator_added, "Two-factor authentication"),
    (mfa.authenticator_removed, "Two-factor authentication"),
    (mfa.authenticator_reset, "Two-factor authentication"),
)
for _signal, _what in _SETTINGS:
    _signal.connect(_announcing(_what), weak=False, dispatch_uid=f"accounts-{id(_signal)}")
