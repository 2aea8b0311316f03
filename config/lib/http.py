"""Reading HTTP requests."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """Return the client's IP address, None where there is no valid one.

    It is the peer's, or the one that the outermost of our own TRUSTED_PROXIES saw.
    """
    given = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES > 0:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
        given = hops[-settings.TRUSTED_PROXIES] if len(hops) >= settings.TRUSTED_PROXIES else ""
        given = given or request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_address(given.partition("%")[0]))
    except ValueError:
        return None
