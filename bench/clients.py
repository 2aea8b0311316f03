"""`python -m bench.clients`: thousands of open sockets in one process, and when each tagged frame came to them.

Raw asyncio, so that what is measured is the server. One JSON command a line on standard input, one answer a line:
`{"connect": [[path, cookie], …], "port": N, "origin": URL}`, `{"watch": true}`, `{"seen": true}`. A frame is tagged by
`bench:NUMBER` in its text; times are CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import re
import sys
import time
from typing import Any

_TAG = re.compile(rb"bench:(\d+)")
_KINDS = ((b'"type":"notification"', "notification"), (b'"type":"balance_update"', "balance_update"))
_PING = json.dumps({"type": "ping"}).encode()
_AT_ONCE = 40
HEARTBEAT_SECONDS = 25


class Seen:
    """First and last moment and number of the frames of each tag and kind."""

    def __init__(self) -> None:
        self.frames: dict[str, list[float]] = {}
        self.lags: list[float] = []

    def note(self, payload: bytes, now: float) -> None:
        tag = _TAG.search(payload)
        if tag is None:
            return
        kind = next((name for mark, name in _KINDS if mark in payload), "other")
        entry = self.frames.setdefault(f"{kind}:{tag[1].decode()}", [now, now, 0])
        entry[1] = now
        entry[2] += 1


class Socket(asyncio.Protocol):
    def __init__(self, path: str, cookie: str, origin: str, seen: Seen) -> None:
        self.path, self.cookie, self.origin, self.seen = path, cookie, origin, seen
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.open = False
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        lines = (
            f"GET {self.path} HTTP/1.1",
            f"Host: {self.origin.partition('://')[2]}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
            f"Origin: {self.origin}",
            *([f"Cookie: {self.cookie}"] if self.cookie else []),
        )
        transport.write("\r\n".join((*lines, "", "")).encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        data = self.buffer + data if self.buffer else data
        if not self.open:
            head, separator, rest = data.partition(b"\r\n\r\n")
            if not separator:
                self.buffer = data
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self._fail(f"refused: {head[:200]!r}")
                return
            self.open, data = True, rest
        at, size = 0, len(data)
        while size - at >= 2:
            opcode, length, start = data[at] & 15, data[at + 1], at + 2
            if length == 126:
                if size < start + 2:
                    break
                length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif length == 127:
                if size < start + 8:
                    break
                length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            if size < start + length:
                break
            self._frame(opcode, data[start : start + length], now)
            at = start + length
        self.buffer = data[at:]

    def _frame(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == 1:
            if not self.ready.done():  # the hello
                self.ready.set_result(None)
                asyncio.get_running_loop().call_later(random.uniform(1, HEARTBEAT_SECONDS), self._beat)
            else:
                self.seen.note(payload, now)
        elif opcode == 9:
            self._send(10, payload)
        elif opcode == 8:
            self._fail(f"closed: {payload[:2].hex()}")

    def _beat(self) -> None:
        if not self.lost:
            self._send(1, _PING)
            asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS, self._beat)

    def _send(self, opcode: int, payload: bytes) -> None:
        """Masked with zeros, which is a mask too. Never longer than 125 bytes."""
        self.transport.write(bytes((0x80 | opcode, 0x80 | len(payload))) + b"\0\0\0\0" + payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"lost: {exc!r}")

    def _fail(self, why: str) -> None:
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(why))


async def connect(seen: Seen, port: int, origin: str, wanted: list[list[str]]) -> list[Socket]:
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE)

    async def one(path: str, cookie: str) -> Socket:
        async with gate:
            _, socket = await loop.create_connection(lambda: Socket(path, cookie, origin, seen), "127.0.0.1", port)
            await asyncio.wait_for(socket.ready, 300)
            return socket

    return list(await asyncio.gather(*(one(path, cookie) for path, cookie in wanted)))


async def _watch_lag(seen: Seen) -> None:
    """How late this process itself is: part of every time that it reports."""
    while True:
        due = time.monotonic() + 0.01
        await asyncio.sleep(0.01)
        seen.lags.append(time.monotonic() - due)


async def main() -> None:
    loop, seen = asyncio.get_running_loop(), Seen()
    commands = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    sockets: list[Socket] = []
    watching = asyncio.create_task(_watch_lag(seen))
    gc.disable()
    while line := await commands.readline():
        command = json.loads(line)
        answer: dict[str, Any] = {}
        if "connect" in command:
            began = time.monotonic()
            try:
                sockets += await connect(seen, command["port"], command["origin"], command["connect"])
            except (OSError, TimeoutError) as error:
                answer["error"] = repr(error)
            answer |= {"open": len(sockets), "seconds": time.monotonic() - began}
            gc.collect()
            gc.freeze()
        elif "watch" in command:
            seen.frames.clear()
            seen.lags.clear()
        elif "seen" in command:
            lost = sum(socket.lost for socket in sockets)
            late = sum(lag > 0.005 for lag in seen.lags) / max(1, len(seen.lags))
            answer = {"frames": seen.frames, "late": late, "lost": lost}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    watching.cancel()


if __name__ == "__main__":
    asyncio.run(main())
