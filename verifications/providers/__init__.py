"""SMS providers: `current()` is the one that sells to us.

Each operation of a provider has a breaker of its own, and a purchase one for its service besides, by which it is
admitted before anything is written. Recovery heeds none of them: docs/decisions/017-a-breaker-for-each-operation.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from django.conf import settings

from config.lib.remote.breaker import Breaker, State, breaker, names_in_use, states
from verifications.providers.base import Provider, is_outage

__all__ = [
    "OPERATIONS",
    "breaker_states",
    "by_name",
    "current",
    "is_outage",
    "open_breakers",
    "operation_breaker",
    "purchase_breaker",
]

OPERATIONS = ("purchase", "fetch", "cancel", "report", "quote", "catalogue")


def current() -> Provider:
    """Return the adapter of the provider that sells to us."""
    return by_name(settings.PROVIDER)


@lru_cache(maxsize=8)
def by_name(name: str) -> Provider:
    """Return the adapter of that name, one a process. Raises LookupError."""
    if name == "textverified":
        from verifications.providers.textverified import TextVerified

        return TextVerified()
    raise LookupError(f"There is no provider named {name!r}")


def operation_breaker(operation: str, provider: str = "") -> Breaker:
    """Return the breaker of one of OPERATIONS, by default of the provider that sells to us."""
    return breaker(f"{provider or settings.PROVIDER}:{operation}", counts=is_outage)


def purchase_breaker(service: str = "", provider: str = "") -> Breaker:
    """Return the breaker of all purchases, or a service's own, which is refused while that of all is open too."""
    return operation_breaker(f"purchase:{service}" if service else "purchase", provider)


def breaker_states() -> Sequence[State]:
    """Return the states of all operations of the current provider, and of what else has failed lately. For people."""
    operations = {f"{settings.PROVIDER}:{operation}" for operation in OPERATIONS}
    found = states(operations | names_in_use())
    return [state for state in found if state.failures or state.name in operations]


def open_breakers(names: Iterable[str]) -> set[str]:
    """Return which of these refuse now, in one question to Redis. Names as `vendor:operation`, `…:part`."""
    return {state.name for state in states(names) if state.state == "open"}
