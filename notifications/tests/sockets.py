"""Sockets for tests: the real application, in this loop, with the real Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from accounts.models import User
from activity.events import ANNOUNCEMENT
from activity.services import record
from config.lib.unit_of_work import unit_of_work
from notifications.routing import socket_stack

T = TypeVar("T")
OURS = "http://localhost:8000"
application = socket_stack(URLRouter)


def in_thread(work: Callable[..., T]) -> Callable[..., Any]:
    """Database work from an async test, on a thread of its own that gives its connection back."""

    def run(*args: Any, **kwargs: Any) -> T:
        from django.db import connections

        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    return sync_to_async(run, thread_sensitive=False)


def sign_in(user: User) -> str:
    """Create a session, as signing in does. Return its key."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def announce(user: User, times: int = 1, *, title: str = "Maintenance") -> None:
    """Record so many announcements, which reach the inbox."""
    for number in range(1, times + 1):
        data = {"title": f"{title} {number}", "text": "Tonight", "link": "/help"}
        with unit_of_work():
            record(event=ANNOUNCEMENT, user=user, data=data)


class Socket:
    def __init__(
        self, path: str, *, session: str = "", origin: str | None = OURS, host: str = "localhost:8000"
    ) -> None:
        headers = [(b"host", host.encode())]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        if session:
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={session}".encode()))
        self.wire = WebsocketCommunicator(application, path, headers=headers)

    async def open(self) -> bool:
        accepted, _ = await self.wire.connect(timeout=30)
        return accepted

    async def next(self) -> dict[str, Any]:
        frame: dict[str, Any] = await self.wire.receive_json_from(timeout=30)
        return frame

    async def until(self, kind: str) -> dict[str, Any]:
        """Return the next frame of this type, past others."""
        while (frame := await self.next())["type"] != kind:
            pass
        return frame

    async def all_until(self, kind: str) -> list[dict[str, Any]]:
        frames = [await self.next()]
        while frames[-1]["type"] != kind:
            frames.append(await self.next())
        return frames

    async def say(self, **frame: Any) -> None:
        await self.wire.send_json_to(frame)

    async def say_text(self, text: str) -> None:
        await self.wire.send_to(text_data=text)

    async def is_silent(self) -> bool:
        """Return whether the answer to a ping is the next frame."""
        await self.say(type="ping")
        return (await self.next())["type"] == "pong"

    async def close_code(self) -> int:
        output = await self.wire.receive_output(timeout=30)
        assert output["type"] == "websocket.close", output
        return int(output["code"])


@contextlib.asynccontextmanager
async def opened(path: str, **given: Any) -> AsyncIterator[Socket]:
    """Open a socket, and disconnect it at the end."""
    socket = Socket(path, **given)
    assert await socket.open()
    try:
        yield socket
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await socket.wire.disconnect(timeout=30)


@contextlib.asynccontextmanager
async def joined(user: User, **given: Any) -> AsyncIterator[Socket]:
    """Open a signed-in customer's socket, and read its hello."""
    session = await in_thread(sign_in)(user)
    async with opened(f"/ws/notifications/{user.pk}", session=session, **given) as socket:
        assert (await socket.next())["type"] == "hello"
        yield socket
