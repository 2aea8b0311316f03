"""What waits to be sent to one client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notifications.realtime import frames

TRY_AGAIN = 1013  # RFC 6455's registry: what is missing is here again soon
_LIMIT = 1_000


@dataclass(slots=True)
class Subscriptions:
    """The channels and the verifications' channels (`topics`) that a client follows."""

    channels: set[str]
    topics: set[str]

    def include(self, message: Mapping[str, Any]) -> bool:
        channel = message["channel"]
        return not channel or channel in self.channels or message["topic"] in self.topics


class SendQueue:
    """The frames of one socket, sent in one order by `deliver`. Pushed messages wait until the first `release`.

    `seq` and `version` are the highest that were put in. A client too slow for its frames is disconnected and starts
    again from the database, instead of filling the memory.
    """

    __slots__ = ("_held", "_queue", "_subscriptions", "is_closed", "seq", "version")

    def __init__(self, subscriptions: Subscriptions) -> None:
        self.seq = self.version = 0
        self.is_closed = False
        self._subscriptions = subscriptions
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()
        self._held: list[dict[str, Any]] | None = []

    def push(self, message: dict[str, Any]) -> None:
        """Put in a message of `publish.message` if the client follows its channel, or keep it while pushes are held."""
        if self._held is not None:
            self._held.append(message)
            if len(self._held) > _LIMIT:
                self.close(TRY_AGAIN)
        elif self._subscriptions.include(message):
            self._put(message["text"], message["seq"], message["version"])

    def send(self, frame: frames.ServerFrame) -> None:
        """Put in a frame of the socket itself. Held pushes don't hold it back."""
        self._put(frames.encode(frame), getattr(frame, "seq", 0), getattr(frame, "version", 0))

    def hold(self) -> None:
        """Keep pushes back, so that what is sent meanwhile comes before them."""
        if self._held is None:
            self._held = []

    def release(self, *, after: int) -> None:
        """Put in the pushes that were kept back, but for notifications up to a `seq` that the client has."""
        held, self._held = self._held or [], None
        for message in held:
            if not 0 < message["seq"] <= after:
                self.push(message)

    def close(self, code: int) -> None:
        """Disconnect after what is in here already. Nothing more can be put in."""
        if not self.is_closed:
            self.is_closed = True
            self._queue.put_nowait(code)

    async def deliver(self, *, send: Callable[[str], Awaitable[None]], close: Callable[[int], Awaitable[None]]) -> None:
        """Send what is put in, until it is closed."""
        while isinstance(item := await self._queue.get(), str):
            await send(item)
        await close(item)

    def _put(self, text: str, seq: int, version: int) -> None:
        if self.is_closed:
            return
        self.seq, self.version = max(self.seq, seq), max(self.version, version)
        self._queue.put_nowait(text)
        if self._queue.qsize() > _LIMIT:
            self.close(TRY_AGAIN)
