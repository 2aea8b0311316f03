"""SMS providers: `current()` is the one that sells to us."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from verifications.providers.base import Provider


def current() -> Provider:
    return by_name(settings.PROVIDER)


@lru_cache(maxsize=8)
def by_name(name: str) -> Provider:
    """The adapter of that name, one a process. Raises LookupError."""
    if name == "textverified":
        from verifications.providers.textverified import TextVerified

        return TextVerified()
    raise LookupError(f"There is no provider named {name!r}")
