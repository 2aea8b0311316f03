"""Limits to how often the API may be called."""

from __future__ import annotations

import time
from typing import Any

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from config.lib.http import client_ip


class KeyThrottle(SimpleRateThrottle):
    """Limits calls by API key, else by user, else by IP address.

    A sliding window: calls of the last window count by the share of it that is still within reach. That is one atomic
    addition a call, while REST framework reads and writes back a list of times, and so misses calls at the same moment.
    Without Redis each process counts for itself.
    """

    scope = "key"
    num_requests: int  # None without a rate, and then nothing below is asked
    duration: int
    clock = staticmethod(time.time)  # the same for every process
    _wait = 0.0

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

    def allow_request(self, request: Request, view: Any) -> bool:
        if not self.rate:
            return True
        self.now = self.clock()
        window, into = divmod(self.now, self.duration)
        name = self.get_cache_key(request, view)
        here, last = f"{name}:{int(window)}", f"{name}:{int(window) - 1}"
        mine, share = _count(here, seconds=2 * self.duration), 1 - into / self.duration
        self._wait = 0.0
        if mine + self.num_requests * share <= self.num_requests:
            return True  # even with a full window before: no need to read that one
        before = int(cache.get(last) or 0)
        if mine + before * share <= self.num_requests:
            return True
        _count(here, seconds=2 * self.duration, step=-1)  # what is refused doesn't count
        self._wait = self._until_free(others=mine - 1, before=before, into=into)
        return False

    def _until_free(self, *, others: int, before: int, into: float) -> float:
        """Return the seconds until one more call fits."""
        if others >= self.num_requests:  # this window is full: into the next one, until enough of it has passed
            left = self.duration - into
            return left + self.duration * (1 - (self.num_requests - 1) / max(others, 1))
        return self.duration * (1 - (self.num_requests - 1 - others) / before) - into

    def wait(self) -> float:
        return self._wait


class UserThrottle(KeyThrottle):
    """Limits the calls of all keys of a user together."""

    scope = "user"

    def allow_request(self, request: Request, view: Any) -> bool:
        by_key = getattr(request.auth, "pk", None) is not None
        return not by_key or super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


class PurchaseThrottle(KeyThrottle):
    """Limits purchases by user, whatever the key."""

    scope = "purchase"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


def _count(name: str, *, seconds: int, step: int = 1) -> int:
    """Add to a counter and return it; 0 where there is no cache."""
    try:
        return int(cache.incr(name, step) or 0)
    except ValueError:  # not there yet
        cache.add(name, 0, seconds)
    try:
        return int(cache.incr(name, step) or 0)
    except ValueError:
        return 0
