"""One-use tickets for the sockets, for programs and pages that can't send a cookie or a header there."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import ApiKey, User
from accounts.services import digest
from notifications.models import Ticket

PREFIX = "rft_"
_KEPT = timedelta(hours=1)


def issue(*, user: User, api_key: ApiKey | None, session_key: str, now: datetime) -> tuple[Ticket, str]:
    """Create a ticket. Return it and its secret, shown this once. It stands for the key or the session that asked."""
    Ticket.objects.filter(user=user, expires_at__lt=now - _KEPT).delete()
    secret = PREFIX + secrets.token_urlsafe(32)
    ticket = Ticket.objects.create(
        digest=digest(secret),
        user=user,
        api_key=api_key,
        session_key="" if api_key else session_key,
        expires_at=now + timedelta(seconds=settings.TICKET_SECONDS),
    )
    return ticket, secret


def redeem(*, secret: str, now: datetime) -> Ticket | None:
    """Return the ticket to the one caller who uses it first and in time, else None."""
    found = Ticket.objects.filter(digest=digest(secret), expires_at__gt=now, used_at=None)
    if found.update(used_at=now) != 1:
        return None
    return Ticket.objects.select_related("api_key__user").get(digest=digest(secret))
