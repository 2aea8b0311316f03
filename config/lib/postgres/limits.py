"""How long a connection may wait, for a lock, in a statement and between two of a transaction, by kind of process.

    limits.use("background")          # this process's connections from now on, and those of the processes it forks

A connection that waits longer gets an error and releases what it holds: none waits forever for a row that another
transaction keeps locked (docs/decisions/014-one-sick-row.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

Kind = Literal["web", "background", "command"]

_LOCK_TIMEOUT = "55P03"
# What PostgreSQL says as it ends a transaction in which nothing has happened, or that has lasted, for too long.
_TOO_LONG_IN_TRANSACTION = ("25P03", "25P04")


def options(limits: Mapping[str, float], *, keepalive: float) -> str:
    """Return the connection's `options`: the limits in seconds by PostgreSQL's names, 0 for none.

    The server looks for a silent peer too, as the client does (`keepalives`). What PGOPTIONS says wins.
    """
    milliseconds = {name: round(seconds * 1000) for name, seconds in limits.items()}
    interval = max(1, round(keepalive / 2))
    tcp = {
        "tcp_keepalives_idle": round(keepalive),
        "tcp_keepalives_interval": interval,
        "tcp_keepalives_count": 2,
        "tcp_user_timeout": round(2000 * keepalive),
    }
    ours = " ".join(f"-c {name}={value}" for name, value in {**milliseconds, **tcp}.items())
    return f"{ours} {os.environ.get('PGOPTIONS', '')}".strip()


def keepalives(seconds: float) -> dict[str, int]:
    """Return libpq's parameters that notice within about twice `seconds` that the server's host is gone."""
    return {
        "keepalives": 1,
        "keepalives_idle": round(seconds),
        "keepalives_interval": max(1, round(seconds / 2)),
        "keepalives_count": 2,
        "tcp_user_timeout": round(2000 * seconds),
    }


def use(kind: Kind) -> None:
    """Let this process's connections have the limits of `kind`. Call before it has opened any."""
    from django.conf import settings
    from django.db import connections

    for alias in connections:
        connection = connections[alias]
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        connection.settings_dict["OPTIONS"]["options"] = options(
            settings.DATABASE_LIMITS[kind], keepalive=settings.DATABASE_KEEPALIVE_SECONDS
        )


def is_lock_timeout(error: BaseException) -> bool:
    """Return whether another transaction kept a row locked for longer than this connection waits."""
    return _sqlstate(error) == _LOCK_TIMEOUT


def is_away(error: BaseException) -> bool:
    """Return whether the database did not answer, or ended our waiting, rather than refuse a statement."""
    from django.db import InterfaceError, OperationalError

    return isinstance(error, OperationalError | InterfaceError) or _sqlstate(error) in _TOO_LONG_IN_TRANSACTION


def _sqlstate(error: BaseException) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)
