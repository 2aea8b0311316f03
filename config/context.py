"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from config.lib import money
from notifications import selectors as inboxes
from wallet import selectors as wallets


def site(request: HttpRequest) -> dict[str, Any]:
    context: dict[str, Any] = {
        "site_name": "Ringfence",
        "currency": settings.CURRENCY,
        "debug": settings.DEBUG,
        "public_url": settings.PUBLIC_URL,
        "mailbox_url": f"http://localhost:{settings.SANDBOX_PORT}/mail",
    }
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and not request.path.startswith("/admin/"):
        context["frame"] = Frame(user)
    return context


class Frame:
    """Badge and balance of the bar on top: two row reads, made when the template asks."""

    def __init__(self, user: Any) -> None:
        self._user = user

    @property
    def inbox(self) -> Any:
        if not hasattr(self, "_inbox"):
            self._inbox = inboxes.inbox_of(user=self._user)
        return self._inbox

    @property
    def wallet(self) -> Any:
        if not hasattr(self, "_wallet"):
            self._wallet = wallets.balance_of(user=self._user)
        return self._wallet

    @property
    def available(self) -> str:
        return money.display(self.wallet.available)
