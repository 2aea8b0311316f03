"""`ENGINE = "config.lib.postgres"`.

psycopg's pool checks a connection by a round trip before it lends it, and puts a dead one aside; but it then sleeps
longer each time, a second, two, four, for it takes the database to be away. After a restart the pool is full of dead
connections: with five of them a request would wait for eight seconds, with ten for minutes. Here the first that turns
out dead takes the other idle ones along. The round trip is made only where the kernel knows of something to read: an
idle connection has nothing to say, and one that the server has closed has its end. A purchase borrows twice, so that
this saves it two round trips.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        pool = super().pool
        if pool is not None:
            pool._check = check  # Django's own way leaves no room for another one
        return pool


def check(connection: Connection[Any]) -> None:
    """Raise what is wrong with a connection that is about to be lent, and empty its pool if something is."""
    pool = connection._pool
    try:
        if _has_something_to_read(connection):
            ConnectionPool.check_connection(connection)
    except Exception:
        if isinstance(pool, ConnectionPool):
            pool.drain()
        raise


def _has_something_to_read(connection: Connection[Any]) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
