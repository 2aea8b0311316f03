"""SMS providers: `current()` is the one that sells to us.

Who buys asks `purchase_breaker().check()` before anything is written, and orders through its `.call()`; who polls,
fetches, cancels or reports goes through `poll_breaker()`. `.call()` refuses nothing, it tells the breaker how it went:
so recovering, cancelling and refunding go on while a breaker is open.
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from config.lib.breaker import Breaker, breaker
from verifications.providers.base import Provider, is_outage

__all__ = ["by_name", "current", "is_outage", "poll_breaker", "purchase_breaker"]


def current() -> Provider:
    return by_name(settings.PROVIDER)


@lru_cache(maxsize=8)
def by_name(name: str) -> Provider:
    """The adapter of that name, one a process. Raises LookupError."""
    if name == "textverified":
        from verifications.providers.textverified import TextVerified

        return TextVerified()
    raise LookupError(f"There is no provider named {name!r}")


def purchase_breaker() -> Breaker:
    return breaker("provider:purchase", counts=is_outage)


def poll_breaker() -> Breaker:
    return breaker("provider:poll", counts=is_outage)
