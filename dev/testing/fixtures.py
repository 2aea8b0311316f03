"""Fixtures for every test. None of them uses a database or a service before a test asks for it."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import pytest
import redis as redis_client

_KEPT_KEYS = (b"_kombu.", b"unacked")  # how a running worker finds its queue


@pytest.fixture(scope="session")
def redis_server() -> Iterator["redis_client.Redis"]:
    """Return a client of this process's own Redis database."""
    with redis_client.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture(autouse=True)
def _fresh_redis(redis_server: "redis_client.Redis") -> None:
    """Breakers, throttles, tickets and caches of one test don't reach the next, nor that one found Redis down."""
    from config.lib.redis import cache
    from config.lib.remote import breaker_state
    from notifications.realtime import publish

    for guard in (breaker_state.redis_guard, cache.guard, publish.guard):
        guard.is_down = False
    keys = [key for key in cast("list[bytes]", redis_server.keys("*")) if not key.startswith(_KEPT_KEYS)]
    if keys:
        redis_server.delete(*keys)


InThreads = Callable[..., list[Any]]


@pytest.fixture
def in_threads() -> InThreads:
    """Run things at the same moment on real threads, each with its own connection.

    `in_threads(fn, times=100)` or `in_threads([fn, other, ...])`; answers, in order, what each returned or raised.
    Use under `@pytest.mark.django_db(transaction=True)`: other connections see only what is committed.
    """
    return _in_threads


def _in_threads(work: Callable[[], Any] | Sequence[Callable[[], Any]], *, times: int = 1) -> list[Any]:
    from django.db import connections

    calls = [work] * times if callable(work) else list(work)
    barrier = threading.Barrier(len(calls), timeout=30)

    def run(call: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return call()
        except Exception as error:  # noqa: BLE001  what was raised is the answer
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=len(calls)) as threads:
        return list(threads.map(run, calls))


HoldRow = Callable[[str, Any], AbstractContextManager[None]]


@pytest.fixture
def hold_row() -> HoldRow:
    """Lock a row in another session until the block ends: `with hold_row("wallet_wallet.user_id", 7):`.

    Use under `@pytest.mark.django_db(transaction=True)`.
    """
    return _hold_row


@contextmanager
def _hold_row(column: str, value: Any) -> Iterator[None]:
    import psycopg
    from django.db import connection

    table = column.partition(".")[0]
    params = {**connection.get_connection_params(), "context": None, "cursor_factory": None}
    with psycopg.connect(**params) as other:
        held = other.execute(f"SELECT FROM {table} WHERE {column} = %s FOR UPDATE", [value])
        assert held.rowcount == 1
        yield
        other.rollback()


@pytest.fixture
def background_limits(settings: Any) -> Iterator[None]:
    """Connections wait for a lock as a worker's do, only shorter."""
    from config.lib.postgres import limits

    background = {**settings.DATABASE_LIMITS["background"], "lock_timeout": 0.2}
    settings.DATABASE_LIMITS = {**settings.DATABASE_LIMITS, "background": background}
    limits.use("background")
    yield
    limits.use("web")
