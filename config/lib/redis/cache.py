"""The cache in Redis, as JSON; while Redis does not answer, each process remembers for itself.

Rate limits live in the cache. With misses alone they would either let everything through or, as allauth's lock does,
refuse everybody; so a process without Redis goes on counting, and asks Redis again every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any

import structlog
from django.core.cache.backends.locmem import LocMemCache
from django.core.serializers.json import DjangoJSONEncoder
from django_redis.cache import RedisCache
from django_redis.exceptions import ConnectionInterrupted
from django_redis.serializers.json import JSONSerializer

from config.lib.redis.guard import Guard, RedisPaused

log = structlog.get_logger(__name__)
# One for the process: Django makes a cache object for each thread and each asynchronous request.
guard = Guard(pause_seconds=2.0, errors=(ConnectionInterrupted,))


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        return asdict(o) if is_dataclass(o) and not isinstance(o, type) else super().default(o)


class CacheSerializer(JSONSerializer):
    """Write values as JSON. A dataclass, as the console's search keeps, becomes a dict: templates read both alike."""

    encoder_class = _Encoder


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
        local: Callable[..., Any] = getattr(self._local, operation)
        was_down = guard.is_down
        try:
            with guard:
                answer = getattr(self.client, operation)(*args, **kwargs)
        except RedisPaused:
            return local(*args, **kwargs)
        except ConnectionInterrupted as error:
            log.warning("cache_alone", error=type(error.__cause__).__name__)
            return local(*args, **kwargs)
        if was_down:
            self._local.clear()
        return answer
