"""Requests of signed-in users, and the addresses that sign-up and reset keep in the session."""

from __future__ import annotations

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest

from accounts.models import User

CONFIRM, RESET = "confirm_address", "reset_address"
_MOST = 254  # characters: no e-mail address is longer


class CustomerRequest(HttpRequest):
    """The request of a page behind `login_required`: its user is signed in."""

    user: User


def confirmed_recently(request: HttpRequest) -> bool:
    """Return whether this session's user typed the password or a code of the second factor a few minutes ago."""
    try:
        return bool(reauthentication_required(lambda _request: True)(request))
    except ReauthenticationRequired:
        return False


def keep_address(request: HttpRequest, where: str, email: str) -> None:
    """Keep the address for the page that says where we wrote to: as typed, so that it reveals no account."""
    request.session[where] = email[:_MOST]


def forget_addresses(request: HttpRequest) -> None:
    """Remove the kept addresses from the session."""
    for where in (CONFIRM, RESET):
        if where in request.session:
            del request.session[where]
