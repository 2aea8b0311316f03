"""The variables that every template has."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import cached_property

from activity.selectors import Pause, pause_of
from config.lib import money
from notifications.inbox import selectors as inboxes


def site(request: HttpRequest) -> dict[str, Any]:
    context: dict[str, Any] = {
        "site_name": "Ringfence",
        "currency": settings.CURRENCY,
        "debug": settings.DEBUG,
        "public_url": settings.PUBLIC_URL,
        "support_email": settings.SUPPORT_EMAIL,
        "mailbox_url": f"http://localhost:{settings.SANDBOX_PORT}/mail",
    }
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and not request.path.startswith("/admin/"):
        context["account_summary"] = AccountSummary(user)
    return context


class AccountSummary:
    """The customer's balance, unread count and pause, as every page shows them.

    Balance and count are one statement, made when the template asks.
    """

    def __init__(self, user: Any) -> None:
        self._user = user

    @cached_property
    def inbox(self) -> inboxes.Position:
        return inboxes.position_of(user=self._user)

    @cached_property
    def paused(self) -> Pause | None:
        """Return the pause of the user's purchases, or None, without a query where there is none."""
        return pause_of(user=self._user) if self._user.purchases_frozen_at else None

    @property
    def available(self) -> str:
        return money.display(self.inbox.balance - self.inbox.held)
