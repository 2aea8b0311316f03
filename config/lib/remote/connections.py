"""Returning database connections before a network call.

A process has DATABASE_POOL_MAX connections. Were one held by each call to a vendor that hangs, everybody else would
wait in the pool's queue: docs/decisions/016-vendors-without-a-connection.md.
"""

from __future__ import annotations

from django.db import connections, transaction


def release_connections() -> None:
    """Give this thread's connections back to the pool; the next query takes one again.

    Raises RuntimeError inside a transaction: it would be held open for as long as the other side likes.
    """
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            # Raises unless the only transaction is the one that a test case has put around all of it.
            with transaction.atomic(using=connection.alias, savepoint=False, durable=True):
                continue
        connection.close()
