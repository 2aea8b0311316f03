"""The sockets: `/ws/notifications/{user_id}`, `/ws/balance`, `/ws/console`. They translate; services do the work."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.utils import await_many_dispatch
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from accounts.models import User
from config.lib.errors.base import DomainError
from notifications.inbox.services import mark_read
from notifications.realtime import frames, publish
from notifications.realtime.frames import BadFrame
from notifications.sockets import identity as identities
from notifications.sockets import snapshots
from notifications.sockets.hub import hub
from notifications.sockets.identity import Identity
from notifications.sockets.rate_limit import RateLimit
from notifications.sockets.send_queue import TRY_AGAIN, SendQueue, Subscriptions
from notifications.sockets.threads import run_in_thread

log = logging.getLogger(__name__)

BAD_FRAME, NOT_SIGNED_IN, NOT_YOURS = 4400, 4401, 4403
_BAD_FRAMES_ALLOWED = 2
_VERIFICATIONS_LIMIT = 50
_FRAMES_AT_ONCE, _FRAMES_A_SECOND = 40.0, 5.0


class Socket(AsyncWebsocketConsumer):
    """What the three sockets share.

    Channels' own dispatch hops to the process's one database thread for each message, and its layer keeps a
    subscription a group: this does neither (see `hub` and `threads`).
    """

    channels: ClassVar[frozenset[str]] = frames.CHANNELS
    may_subscribe: ClassVar[frozenset[str]] = frames.CHANNELS
    may_follow_verifications: ClassVar[bool] = True

    identity: Identity
    checked_at: float

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        self.scope, self.base_send = scope, send
        self._is_signed_in = False
        self._subscriptions = Subscriptions(set(self.channels), set())
        self._send_queue = SendQueue(self._subscriptions)
        self._rate_limit = RateLimit(burst=_FRAMES_AT_ONCE, per_second=_FRAMES_A_SECOND)
        self._bad_frames = 0
        self._tasks: list[asyncio.Task[None]] = []
        try:
            await await_many_dispatch([receive], self.dispatch)
        except StopConsumer:
            return
        finally:
            hub().leave(self)
            for task in self._tasks:
                task.cancel()

    async def dispatch(self, message: dict[str, Any]) -> None:
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    # Signing in

    async def connect(self) -> None:
        """Sign in by a ticket, else by the session, else wait for an auth frame.

        It accepts first: a refusal before that reaches browsers as a bare failure, without its code. A cookie counts
        only on a page of ours: a program sends no Origin, and has a key.
        """
        await self.accept()
        self._tasks.append(asyncio.create_task(self._send_queue.deliver(send=self.send, close=self.close)))
        query = parse_qs(self.scope.get("query_string", b"").decode("latin1"))
        ticket = query.get("token", [""])[0]
        cookies = self.scope.get("cookies", {}) if self.scope.get("from_page") else {}
        session_key = str(cookies.get(settings.SESSION_COOKIE_NAME, ""))
        identity = None
        try:
            if ticket:
                identity = await run_in_thread(identities.from_ticket, ticket, now=timezone.now())
            elif session_key:
                identity = await run_in_thread(identities.from_session, session_key)
        except DatabaseError as error:
            self._close_for_now("identify", error)
            return
        if identity is not None:
            await self._welcome(identity)
        elif ticket or session_key:
            self._close(NOT_SIGNED_IN)
        else:
            self._tasks.append(asyncio.create_task(self._close_without_auth_frame()))

    async def _close_without_auth_frame(self) -> None:
        await asyncio.sleep(settings.AUTH_FRAME_SECONDS)
        if not self._is_signed_in:
            self._close(NOT_SIGNED_IN)

    def allows(self, identity: Identity) -> bool:
        """Return whether this socket is theirs."""
        return identity.may("read")

    def groups_of(self, identity: Identity) -> Iterable[str]:
        return (publish.user_group(identity.user_id), publish.ALL)

    async def _welcome(self, identity: Identity) -> None:
        """Join the hub first and read then: what happens in between arrives as a frame after the hello."""
        if not self.allows(identity):
            self._close(NOT_YOURS)
            return
        if hub().sockets_of(identity.user_id) >= settings.SOCKETS_PER_USER:
            detail = f"You have {settings.SOCKETS_PER_USER} sockets open here, the most there can be. Close one first."
            self._send_queue.send(frames.error("over_limit", detail))
            self._close(TRY_AGAIN)
            return
        self._is_signed_in, self.identity = True, identity
        self.checked_at = time.monotonic()
        await hub().join(self, self.groups_of(identity))
        try:
            hello = await run_in_thread(snapshots.hello, user_id=identity.user_id)
        except DatabaseError as error:
            self._close_for_now("hello", error)
            return
        self._send_queue.send(hello)
        self._send_queue.release(after=hello.seq)

    # To the client

    def push(self, message: dict[str, Any]) -> None:
        self._send_queue.push(message)
        if self._send_queue.is_closed:
            hub().leave(self)

    def push_pong(self, pong: frames.Pong) -> None:
        if pong.seq > self._send_queue.seq or pong.version > self._send_queue.version:
            self._send_queue.send(pong)

    def disconnect_signed_out(self) -> None:
        self._close(NOT_SIGNED_IN)

    def _close(self, code: int) -> None:
        self._send_queue.close(code)
        hub().leave(self)

    def _close_for_now(self, doing: str, error: Exception) -> None:
        """Close because the database does not answer. The client comes back."""
        user_id = self.identity.user_id if self._is_signed_in else None
        log.warning("socket_given_up", extra={"doing": doing, "user": user_id, "error": repr(error)})
        self._close(TRY_AGAIN)

    # From the client

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._send_queue.is_closed:
            return
        try:
            if not self._rate_limit.allow():
                raise BadFrame("throttled", "Send frames more slowly.")
            await self._answer(frames.parse(text_data))
        except BadFrame as error:
            self._refuse(error.code, error.detail)
        except DomainError as error:
            self._refuse(error.code, str(error.detail))
        except DatabaseError as error:
            self._close_for_now("answer", error)

    def _refuse(self, code: str, detail: str) -> None:
        self._send_queue.send(frames.error(code, detail))
        self._bad_frames += 1
        if self._bad_frames > _BAD_FRAMES_ALLOWED:
            self._close(BAD_FRAME)

    async def _answer(self, frame: frames.ClientFrame) -> None:
        if not self._is_signed_in and not isinstance(frame, frames.Auth):
            raise BadFrame("not_authenticated", "Send an auth frame with your API key first.")
        match frame:
            case frames.Auth() if self._is_signed_in:
                raise BadFrame("already_authenticated", "This socket is signed in.")
            case frames.Auth(token=token):
                identity = await run_in_thread(identities.from_key, token)
                if identity is None:
                    self._close(NOT_SIGNED_IN)
                else:
                    await self._welcome(identity)
            case frames.Ping():
                pong = await hub().pong(self.identity)
                self.checked_at = time.monotonic()
                if pong is None:
                    self.disconnect_signed_out()
                else:
                    self._send_queue.send(pong)
            case frames.Subscribe(channel=channel):
                await self._subscribe(channel)
            case frames.Unsubscribe(channel=channel):
                self._subscriptions.channels.discard(channel)
                if verification_id := frames.verification_of_channel(channel):
                    self._subscriptions.topics.discard(frames.verification_topic(verification_id))
            case frames.Resume(after=after):
                await self._resume(after)
            case frames.Read(ids=ids):
                if not self.identity.may("manage"):
                    raise BadFrame("forbidden", "This API key lacks the scope 'manage'.")
                await run_in_thread(mark_read, user=User(pk=self.identity.user_id), ids=ids)
            case frames.Ack():
                pass  # the deliveries that it will mark as arrived come with the other channels

    async def _subscribe(self, channel: str) -> None:
        """Follow a channel. That of a verification begins with its state as of now, which holds what changed before."""
        if channel in self.may_subscribe:
            self._subscriptions.channels.add(channel)
            return
        verification_id = frames.verification_of_channel(channel)
        if verification_id is None or not self.may_follow_verifications:
            raise BadFrame("unknown_channel", f"There is no channel {channel[:80]!r} here.")
        topics, topic = self._subscriptions.topics, frames.verification_topic(verification_id)
        if len(topics) >= _VERIFICATIONS_LIMIT:
            raise BadFrame("over_limit", f"Follow up to {_VERIFICATIONS_LIMIT} verifications by a socket.")
        is_new = topic not in topics
        topics.add(topic)
        user_id = self.identity.user_id
        try:
            state = await run_in_thread(snapshots.verification, user_id=user_id, verification_id=verification_id)
        except DomainError:
            if is_new:
                topics.discard(topic)
            raise
        self._send_queue.send(state)

    async def _resume(self, after: int) -> None:
        """Send all that is missing after a number, in order, and how things stand; hold pushes until it is sent."""
        self._send_queue.hold()
        seq = self._send_queue.seq
        try:
            async with hub().resume_lock(self.identity.user_id):
                missed = await run_in_thread(
                    snapshots.missed,
                    user_id=self.identity.user_id,
                    after=after,
                    channels=frozenset(self._subscriptions.channels),
                )
            seq = missed.seq
            for frame in missed.frames:
                self._send_queue.send(frame)
        finally:
            self._send_queue.release(after=seq)


class NotificationsSocket(Socket):
    """A user's own; staff don't get another's either."""

    def allows(self, identity: Identity) -> bool:
        return super().allows(identity) and identity.user_id == self.scope["url_route"]["kwargs"]["user_id"]


class BalanceSocket(Socket):
    channels = may_subscribe = frozenset({"balance"})
    may_follow_verifications = False


class ConsoleSocket(Socket):
    """For staff with the permissions of staff.CONSOLE_FEED: transactions, alerts, health."""

    channels = frames.CONSOLE
    may_subscribe = frozenset()
    may_follow_verifications = False

    def allows(self, identity: Identity) -> bool:
        return super().allows(identity) and identity.watches_console

    def groups_of(self, identity: Identity) -> Iterable[str]:
        return (publish.STAFF,)
