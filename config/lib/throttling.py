"""How often somebody may call."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from config.lib.http import client_ip


class KeyThrottle(SimpleRateThrottle):
    """So many a minute for each API key, else each user, else each address."""

    scope = "key"

    def get_cache_key(self, request: Request, view: Any) -> str:
        key = getattr(request.auth, "pk", None)
        ident = (
            f"key-{key}"
            if key
            else f"user-{request.user.pk}"
            if request.user.is_authenticated
            else f"address-{client_ip(request)}"
        )
        return self.cache_format % {"scope": self.scope, "ident": ident}


class PurchaseThrottle(KeyThrottle):
    """Purchases a second, for each user whatever the key."""

    scope = "purchase"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}
