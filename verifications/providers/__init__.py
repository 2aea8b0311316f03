"""SMS providers: `current()` is the one that sells to us.

Every call tells the breakers how it went, and none is refused by them. Who is about to buy asks
`purchases_paused_for()` before anything is written; who polls asks `polls_paused_for()`. Recovering,
cancelling and refunding never ask.
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from config.lib.breaker import Breaker, Open, breaker
from verifications.providers.base import Provider, is_outage
from verifications.providers.counted import Counted


def current() -> Provider:
    return by_name(settings.PROVIDER)


@lru_cache(maxsize=8)
def by_name(name: str) -> Provider:
    """The adapter of that name, one a process. Raises LookupError."""
    if name == "textverified":
        from verifications.providers.textverified import TextVerified

        return Counted(TextVerified(), purchases=purchase_breaker(), polls=poll_breaker())
    raise LookupError(f"There is no provider named {name!r}")


def purchase_breaker() -> Breaker:
    return breaker("provider:purchase", counts=is_outage)


def poll_breaker() -> Breaker:
    return breaker("provider:poll", counts=is_outage)


def purchases_paused_for() -> float:
    """Seconds until a purchase may be tried, 0 for now. After an outage one at a time may: be about to buy."""
    try:
        purchase_breaker().check()
    except Open as refused:
        return max(1.0, refused.retry_after)
    return 0.0


def polls_paused_for() -> float:
    """Seconds until polling may go on, 0 for now."""
    state = poll_breaker().state()
    return max(0.1, state.retry_after) if state.state == "open" else 0.0
