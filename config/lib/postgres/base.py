"""`ENGINE = "config.lib.postgres"`.

psycopg's pool looks at a connection before it lends it, and puts a dead one aside; but it then sleeps longer each time,
a second, two, four, for it takes the database to be away. After a restart the pool is full of dead connections: with
five of them a request would wait for eight seconds, with ten for minutes. Here the first that turns out dead takes the
other idle ones along.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        pool = super().pool
        if pool is not None:
            pool._check = look  # Django's own way leaves no room for another one
        return pool


def look(connection: Connection[Any]) -> None:
    """As the pool's own check: raises what is wrong with the connection."""
    pool = connection._pool
    try:
        ConnectionPool.check_connection(connection)
    except Exception:
        if isinstance(pool, ConnectionPool):
            pool.drain()
        raise
