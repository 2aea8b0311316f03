"""The sockets: `/ws/notifications/{user_id}`, `/ws/balance`, `/ws/console`. They translate; services do."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs
from uuid import UUID

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
from notifications.sockets import identity, snapshots
from notifications.sockets.executor import run
from notifications.sockets.hub import hub
from notifications.sockets.identity import Identity, Standing

log = logging.getLogger(__name__)

BAD_FRAME, NOT_SIGNED_IN, NOT_YOURS = 4400, 4401, 4403
TRY_AGAIN = 1013  # RFC 6455's registry: what is missing is here again soon
_BAD_FRAMES_ALLOWED = 2
_QUEUE_LIMIT = 1_000
_SUBSCRIPTIONS_LIMIT = 50
_FRAMES_AT_ONCE, _FRAMES_A_SECOND = 40.0, 5.0

Answer = Callable[["Socket", Mapping[str, Any]], Awaitable[None]]


class Socket(AsyncWebsocketConsumer):
    """What the three sockets share. Frames leave in one order, through one queue.

    Channels' own dispatch hops to the process's one database thread for each message, and its layer keeps a
    subscription a group: this does neither (`hub`, `database`).
    """

    channels: ClassVar[frozenset[str]] = frames.CHANNELS
    may_subscribe: ClassVar[frozenset[str]] = frames.CHANNELS

    identity: Identity
    checked_at: float

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        self.scope, self.base_send = scope, send
        self._known: Identity | None = None
        self._subscribed: set[str] = set(self.channels)
        self._topics: set[str] = set()
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()
        self._held: list[dict[str, Any]] | None = []
        self._seq = self._version = self._bad = 0
        self._allowance, self._counted_at = _FRAMES_AT_ONCE, time.monotonic()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        try:
            await await_many_dispatch([receive], self.dispatch)
        except StopConsumer:
            return
        finally:
            self._tidy()

    async def dispatch(self, message: dict[str, Any]) -> None:
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    # Signing in

    async def connect(self) -> None:
        """Accept first: a refusal before that reaches browsers as a bare failure, without its code."""
        await self.accept()
        self._tasks.append(asyncio.create_task(self._write()))
        try:
            found = await self._identify()
        except DatabaseError as error:
            self._give_up("identify", error)
            return
        if found is not None:
            await self._welcome(found)
        elif self._ticket() or (self._session_key() and self.scope.get("from_page")):
            self._close(NOT_SIGNED_IN)
        else:
            self._tasks.append(asyncio.create_task(self._await_auth()))

    def _ticket(self) -> str:
        query = parse_qs(self.scope.get("query_string", b"").decode("latin1"))
        return query.get("token", [""])[0]

    def _session_key(self) -> str:
        return str(self.scope.get("cookies", {}).get(settings.SESSION_COOKIE_NAME, ""))

    async def _identify(self) -> Identity | None:
        """By ticket, else by session. A cookie counts only from a page of ours: a program has no Origin, and a key."""
        if ticket := self._ticket():
            return await run(identity.of_ticket, ticket, now=timezone.now())
        if self.scope.get("from_page") and (session_key := self._session_key()):
            return await run(identity.of_session, session_key)
        return None

    async def _await_auth(self) -> None:
        await asyncio.sleep(settings.AUTH_FRAME_SECONDS)
        if self._known is None:
            self._close(NOT_SIGNED_IN)

    def allows(self, who: Identity) -> bool:
        """Whether this socket is theirs."""
        return who.may("read")

    def groups_of(self, who: Identity) -> Iterable[str]:
        return (publish.user_group(who.user_id), publish.ALL)

    async def _welcome(self, who: Identity) -> None:
        """Join first, read then: what happens in between arrives as a frame after the hello."""
        if not self.allows(who):
            self._close(NOT_YOURS)
            return
        if hub().sockets_of(who.user_id) >= settings.SOCKETS_PER_USER:
            detail = f"You have {settings.SOCKETS_PER_USER} sockets open here, the most there can be. Close one first."
            self._say(frames.error("over_limit", detail))
            self._close(TRY_AGAIN)
            return
        self._known = self.identity = who
        self.checked_at = time.monotonic()
        await hub().join(self, self.groups_of(who))
        try:
            hello = await run(snapshots.hello, user_id=who.user_id)
        except DatabaseError as error:
            self._give_up("hello", error)
            return
        self._say(hello)
        self._go_on(after=hello["seq"])

    # Out

    def push(self, message: dict[str, Any]) -> None:
        if self._held is not None:
            self._held.append(message)
            self._limit(len(self._held))
        elif not message["channel"] or message["channel"] in self._subscribed or message["topic"] in self._topics:
            self._seq, self._version = max(self._seq, message["seq"]), max(self._version, message["version"])
            self._put(message["text"])

    def tell(self, standing: Standing) -> None:
        if standing.seq > self._seq or standing.version > self._version:
            self._say({"type": "pong", "seq": standing.seq, "version": standing.version})

    def dismiss(self) -> None:
        self._close(NOT_SIGNED_IN)

    def _hold(self) -> None:
        """Keep pushes back while the past is told, so that everything comes in order."""
        if self._held is None:
            self._held = []

    def _go_on(self, *, after: int) -> None:
        held, self._held = self._held or [], None
        for message in held:
            if not 0 < message["seq"] <= after:
                self.push(message)

    def _say(self, frame: Mapping[str, Any]) -> None:
        """A frame of the socket itself."""
        frames.check(frame)
        self._seq, self._version = max(self._seq, frame.get("seq", 0)), max(self._version, frame.get("version", 0))
        self._put(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))

    def _put(self, text: str) -> None:
        if not self._closing:
            self._queue.put_nowait(text)
            self._limit(self._queue.qsize())

    def _limit(self, waiting: int) -> None:
        """A reader too slow for its frames starts again from the database instead of filling the memory."""
        if waiting > _QUEUE_LIMIT:
            self._close(TRY_AGAIN)

    def _close(self, code: int) -> None:
        """After what is in the queue already."""
        if not self._closing:
            self._closing = True
            self._queue.put_nowait(code)
            hub().leave(self)

    async def _write(self) -> None:
        while True:
            item = await self._queue.get()
            if isinstance(item, int):
                await self.close(item)
                return
            await self.send(text_data=item)

    def _give_up(self, doing: str, error: Exception) -> None:
        """The database does not answer: say so by the code, the client comes back."""
        who = self._known.user_id if self._known else None
        log.warning("socket_given_up", extra={"doing": doing, "user": who, "error": repr(error)})
        self._close(TRY_AGAIN)

    def _tidy(self) -> None:
        hub().leave(self)
        for task in self._tasks:
            task.cancel()

    # In

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._closing:
            return
        try:
            self._count()
            frame = frames.parse(text_data)
            await self._answer(frame)
        except BadFrame as error:
            self._refuse(error.code, error.detail)
        except DomainError as error:
            self._refuse(error.code, str(error.detail))
        except DatabaseError as error:
            self._give_up("answer", error)

    def _refuse(self, code: str, detail: str) -> None:
        self._say(frames.error(code, detail))
        self._bad += 1
        if self._bad > _BAD_FRAMES_ALLOWED:
            self._close(BAD_FRAME)

    def _count(self) -> None:
        """A bucket of frames that refills: each may cost a query."""
        now = time.monotonic()
        self._allowance = min(_FRAMES_AT_ONCE, self._allowance + (now - self._counted_at) * _FRAMES_A_SECOND)
        self._counted_at = now
        if self._allowance < 1:
            raise BadFrame("throttled", "Send frames more slowly.")
        self._allowance -= 1

    async def _answer(self, frame: Mapping[str, Any]) -> None:
        if self._known is None:
            if frame["type"] != "auth":
                raise BadFrame("not_authenticated", "Send an auth frame with your API key first.")
            await self._on_auth(frame)
            return
        answer = _ANSWERS.get(frame["type"])
        if answer is None:
            raise BadFrame("already_authenticated", "This socket is signed in.")
        await answer(self, frame)

    async def _on_auth(self, frame: Mapping[str, Any]) -> None:
        found = await run(identity.of_key, frame["token"])
        if found is None:
            self._close(NOT_SIGNED_IN)
        else:
            await self._welcome(found)

    async def _on_ping(self, frame: Mapping[str, Any]) -> None:
        """Where the inbox stands now, and the moment to notice that a session or key has ended."""
        standing = await hub().standing(self.identity)
        self.checked_at = time.monotonic()
        if standing is None:
            self.dismiss()
        else:
            self._say({"type": "pong", "seq": standing.seq, "version": standing.version})

    async def _on_subscribe(self, frame: Mapping[str, Any]) -> None:
        channel = frame["channel"]
        if channel in self.may_subscribe:
            self._subscribed.add(channel)
            return
        verification_id = frames.verification_of_channel(channel)
        if verification_id is None or not self.may_subscribe:
            raise BadFrame("unknown_channel", f"There is no channel {channel[:80]!r} here.")
        if len(self._topics) >= _SUBSCRIPTIONS_LIMIT:
            raise BadFrame("over_limit", f"Follow up to {_SUBSCRIPTIONS_LIMIT} verifications by a socket.")
        await self._follow(verification_id)

    async def _follow(self, verification_id: UUID) -> None:
        """Its frames, and its state as of now: what changed before is in there."""
        topic = f"verification:{verification_id}"
        known = topic in self._topics
        self._topics.add(topic)
        try:
            summary = await run(snapshots.verification, user_id=self.identity.user_id, verification_id=verification_id)
        except DomainError:
            if not known:
                self._topics.discard(topic)
            raise
        self._say(frames.verification(summary))

    async def _on_unsubscribe(self, frame: Mapping[str, Any]) -> None:
        self._subscribed.discard(frame["channel"])
        verification_id = frames.verification_of_channel(frame["channel"])
        self._topics.discard(f"verification:{verification_id}")

    async def _on_resume(self, frame: Mapping[str, Any]) -> None:
        """All that is missing after a number, in order, and how things stand; pushes wait until it is told."""
        self._hold()
        seq = self._seq
        try:
            async with hub().turn_of(self.identity.user_id):
                missed = await run(
                    snapshots.missed,
                    user_id=self.identity.user_id,
                    after=frame["after"],
                    channels=frozenset(self._subscribed),
                )
            seq = missed.seq
            for told in missed.frames:
                self._say(told)
        finally:
            self._go_on(after=seq)

    async def _on_read(self, frame: Mapping[str, Any]) -> None:
        if not self.identity.may("manage"):
            raise BadFrame("forbidden", "This API key lacks the scope 'manage'.")
        await run(mark_read, user=User(pk=self.identity.user_id), ids=frame["ids"])

    async def _on_ack(self, frame: Mapping[str, Any]) -> None:
        """Nothing to note yet: deliveries, which it will mark as arrived, come with the other channels."""


_ANSWERS: Mapping[str, Answer] = {
    "ping": Socket._on_ping,
    "subscribe": Socket._on_subscribe,
    "unsubscribe": Socket._on_unsubscribe,
    "resume": Socket._on_resume,
    "read": Socket._on_read,
    "ack": Socket._on_ack,
}


class NotificationsSocket(Socket):
    """One's own: nobody else's, staff neither."""

    def allows(self, who: Identity) -> bool:
        return super().allows(who) and who.user_id == self.scope["url_route"]["kwargs"]["user_id"]


class BalanceSocket(Socket):
    channels = may_subscribe = frozenset({"balance"})

    async def _follow(self, verification_id: UUID) -> None:
        raise BadFrame("unknown_channel", "There is no other channel than balance here.")


class ConsoleSocket(Socket):
    """For staff with the permissions of staff.WATCH_CONSOLE: transactions, alerts, health."""

    channels = frames.CONSOLE
    may_subscribe = frozenset()

    def allows(self, who: Identity) -> bool:
        return super().allows(who) and who.watches_console

    def groups_of(self, who: Identity) -> Iterable[str]:
        return (publish.STAFF,)
