"""Requests of people who are signed in, and what is kept of those who are on their way."""

from __future__ import annotations

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest

from accounts.models import User

CONFIRM, RESET = "confirm_address", "reset_address"
_MOST = 254  # characters: no e-mail address is longer


class CustomerRequest(HttpRequest):
    """What a page behind `login_required` gets: somebody is there."""

    user: User


def confirmed_recently(request: HttpRequest) -> bool:
    """Return whether this session's user typed the password or a code of the second factor a few minutes ago."""
    try:
        return bool(reauthentication_required(lambda _request: True)(request))
    except ReauthenticationRequired:
        return False


def keep_address(request: HttpRequest, where: str, email: str) -> None:
    """For the page that says where we wrote to. What was typed, so that it tells nobody whether there is an account."""
    request.session[where] = email[:_MOST]


def drop_addresses(request: HttpRequest) -> None:
    for where in (CONFIRM, RESET):
        if where in request.session:
            del request.session[where]
