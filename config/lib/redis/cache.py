"""The cache in Redis, as JSON; while Redis does not answer, each process remembers for itself.

Rate limits live in the cache. With misses alone they would either let everything through or, as allauth's lock does,
refuse everybody; so a process without Redis goes on counting, and asks Redis again every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.core.cache.backends.locmem import LocMemCache
from django_redis.cache import RedisCache
from django_redis.exceptions import ConnectionInterrupted

log = structlog.get_logger(__name__)
_PAUSE_SECONDS = 2.0
_down_until = 0.0  # of the process: Django makes a cache object for each thread and each asynchronous request


class SharedCache(RedisCache):
    """`add`, `get`, `set`, `incr` and `delete` work without Redis; the rest are misses then (IGNORE_EXCEPTIONS)."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        local = {**params, "OPTIONS": {"MAX_ENTRIES": 10_000}}
        self._local = LocMemCache(f"without-redis:{params.get('KEY_PREFIX', '')}", local)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("add", args, kwargs)

    def get(self, key: Any, default: Any = None, version: Any = None, client: Any = None) -> Any:
        try:
            return self._either("get", (key, default, version), {})
        except ValueError as error:  # whoever wrote that, it is not what we write
            log.warning("cache_unreadable", error=type(error).__name__)
            return default

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("set", args, kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("incr", args, kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("delete", args, kwargs)

    def _either(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        global _down_until
        local: Callable[..., Any] = getattr(self._local, operation)
        if time.monotonic() < _down_until:
            return local(*args, **kwargs)
        try:
            answer = getattr(self.client, operation)(*args, **kwargs)
        except ConnectionInterrupted as error:
            _down_until = time.monotonic() + _PAUSE_SECONDS
            log.warning("cache_alone", error=type(error.__cause__).__name__)
            return local(*args, **kwargs)
        if _down_until:
            _down_until = 0.0
            self._local.clear()
        return answer
