"""The one place where clients of Redis are made."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def client(*, connect_seconds: float, answer_seconds: float) -> Redis:
    """Return the process's client of REDIS_URL with these timeouts: one try, no second.

    A call may take both times together. The pool of the client notices a fork, and a connection that Redis closed.
    """
    return _client_of(settings.REDIS_URL, connect_seconds, answer_seconds)


@cache
def _client_of(url: str, connect_seconds: float, answer_seconds: float) -> Redis:
    made: Redis = Redis.from_url(url, **options(connect_seconds=connect_seconds, answer_seconds=answer_seconds))
    return made


def options(*, connect_seconds: float, answer_seconds: float) -> dict[str, Any]:
    """Return the options of a connection, for redis-py's synchronous and asynchronous pools.

    Without HELLO and SETINFO a new connection asks for nothing but its database, so no third wait comes on top.
    """
    return {
        "protocol": 2,
        "driver_info": None,
        "socket_connect_timeout": connect_seconds,
        "socket_timeout": answer_seconds,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }
