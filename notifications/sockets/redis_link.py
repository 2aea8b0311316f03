"""One connection to Redis that hears everything `realtime.publish` sends to the sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import redis
from django.conf import settings
from redis import asyncio as aioredis

from config.lib.redis.client import options
from notifications.realtime import publish

log = logging.getLogger(__name__)

LINK_ERRORS = (redis.RedisError, OSError, EOFError, asyncio.IncompleteReadError)
_PING_SECONDS = 5.0
_DEAF_SECONDS = 12.0  # no answer to two pings: the link is dead, whatever TCP says
_GLOB = re.compile(r"[][*?\\]")

Receive = Callable[[], Awaitable[tuple[bytes, bytes]]]


def process_name() -> str:
    """Return the name that this process's sockets are counted under, and its link has in Redis."""
    return f"sockets:{socket.gethostname()}:{os.getpid()}"


@contextlib.asynccontextmanager
async def open_link() -> AsyncIterator[Receive]:
    """Subscribe. Yield a function that waits for the next message: its channel and its data.

    Raises one of LINK_ERRORS, here or from that function, when the link is lost.
    """
    pool = aioredis.ConnectionPool.from_url(
        settings.REDIS_URL, client_name=process_name(), **options(connect_seconds=1.0, answer_seconds=1.0)
    )
    connection = pool.make_connection()

    async def receive() -> tuple[bytes, bytes]:
        while True:
            reply = await connection.read_response(timeout=_DEAF_SECONDS)
            raise_if_cancelled()
            if reply[0] == b"pmessage":
                return reply[2], reply[3]

    try:
        await connection.connect()
        await connection.send_command("PSUBSCRIBE", _GLOB.sub(r"\\\g<0>", publish.redis_channel("")) + "*")
        await connection.read_response()
        raise_if_cancelled()
        pings = asyncio.create_task(_ping(connection))
        try:
            yield receive
        finally:
            pings.cancel()
            await asyncio.wait({pings})
            if not pings.cancelled() and (error := pings.exception()) is not None:
                log.warning("realtime_ping_failed", extra={"error": repr(error)})
    finally:
        await connection.disconnect(nowait=True)


async def _ping(connection: aioredis.Connection) -> None:
    """Send pings. Where one fails the connection is closed, so that the reader finds out at once."""
    try:
        while True:
            await asyncio.sleep(_PING_SECONDS)
            await connection.send_command("PING")
            raise_if_cancelled()
    except LINK_ERRORS:
        pass
    finally:
        await connection.disconnect(nowait=True)


def raise_if_cancelled() -> None:
    """Raise the cancellation that Python 3.11's `wait_for` loses when it comes just as redis-py's sending is done.

    A link that went on after that would deliver everything a second time beside the next one.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
