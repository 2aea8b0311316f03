"""How often somebody may call."""

from __future__ import annotations

import time
from typing import Any

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from config.lib.http import client_ip


class KeyThrottle(SimpleRateThrottle):
    """So many a minute for each API key, else each user, else each address.

    Counted in windows; what is left of the last one weighs in. That is one atomic addition a call: DRF's list of times
    is read and written back, and calls at the same moment would not count each other. Without Redis nobody is refused
    for it: each process then counts for itself.
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
        mine = _count(here, seconds=2 * self.duration)
        before = int(cache.get(last) or 0)
        self._wait = 0.0
        if mine + before * (1 - into / self.duration) <= self.num_requests:
            return True
        _count(here, seconds=2 * self.duration, step=-1)  # what is refused doesn't count
        self._wait = self._until_free(others=mine - 1, before=before, into=into)
        return False

    def _until_free(self, *, others: int, before: int, into: float) -> float:
        """Seconds until one more fits."""
        if others >= self.num_requests:  # this window is full: into the next one, until enough of it has passed
            left = self.duration - into
            return left + self.duration * (1 - (self.num_requests - 1) / max(others, 1))
        return self.duration * (1 - (self.num_requests - 1 - others) / before) - into

    def wait(self) -> float:
        return self._wait


class UserThrottle(KeyThrottle):
    """So many a minute for all keys of a user together: another key is no more to spend."""

    scope = "user"

    def allow_request(self, request: Request, view: Any) -> bool:
        by_key = getattr(request.auth, "pk", None) is not None
        return not by_key or super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


class PurchaseThrottle(KeyThrottle):
    """Purchases a second, for each user whatever the key."""

    scope = "purchase"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


def _count(name: str, *, seconds: int, step: int = 1) -> int:
    """Adds to a number and answers it. 0 where nobody can count."""
    try:
        return int(cache.incr(name, step) or 0)
    except ValueError:  # not there yet
        cache.add(name, 0, seconds)
    try:
        return int(cache.incr(name, step) or 0)
    except ValueError:
        return 0
