"""`python -m bench.floor_server PORT`: `websockets` and one Redis subscription, and nothing else: the floor."""

from __future__ import annotations

import asyncio
import gc
import http
import json
import logging
import os
import sys
from collections import defaultdict

from redis import asyncio as aioredis
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

HELLO = json.dumps({"type": "hello"})
groups: dict[bytes, set[ServerConnection]] = defaultdict(set)


async def handle(connection: ServerConnection) -> None:
    path = connection.request.path if connection.request else ""
    channels = [f"floor:{path.rsplit('/', 1)[-1]}".encode(), b"floor:all"]
    for channel in channels:
        groups[channel].add(connection)
    try:
        await connection.send(HELLO)
        async for _ in connection:
            pass
    finally:
        for channel in channels:
            groups[channel].discard(connection)


async def listen() -> None:
    client = aioredis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
    pubsub = client.pubsub()
    await pubsub.psubscribe("floor:*")
    async for message in pubsub.listen():
        if message["type"] == "pmessage":
            text = message["data"].decode()
            for connection in tuple(groups.get(message["channel"], ())):
                connection.protocol.send_text(text.encode())
                connection.send_data()


def live(connection: ServerConnection, request: Request) -> Response | None:
    return connection.respond(http.HTTPStatus.OK, "ok") if request.path == "/health/live" else None


async def main() -> None:
    logging.disable(logging.CRITICAL)
    gc.set_threshold(20_000, 500, 1000)
    async with serve(
        handle, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None, process_request=live, backlog=1000
    ):
        await listen()


if __name__ == "__main__":
    asyncio.run(main())
