"""Every open socket of this process, fed by one Redis subscription.

One subscription and a dict of group -> sockets, instead of the layer's subscription a group: at 10,000 sockets the
slowest pushes took 2 ms instead of 900. What `realtime` publishes reaches the layer's clients all the same.

While the Redis link is down hints are lost, so the database is asked in their place: every socket is told where its
inbox and journal stand (`pong`), and resumes what it lacks. Once more when the link is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

import redis
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from redis import asyncio as aioredis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.lib.metrics import websocket_connections
from notifications.realtime import publish
from notifications.sockets.executor import run
from notifications.sockets.identity import Identity, Standing, ended, standings

log = logging.getLogger(__name__)

_LINK_ERRORS = (redis.RedisError, OSError, EOFError, asyncio.IncompleteReadError)
_PING_SECONDS = 5.0
_DEAF_SECONDS = 12.0  # no answer to two pings: the link is dead, whatever TCP says
_LINK_WAIT_SECONDS = 1.0
_RETRY_SECONDS = (0.1, 2.0)
_GATHER_SECONDS = 0.05  # heartbeats of many sockets share their statements; a third less work than with 10 ms
_REPORT_SECONDS = 10.0
_BATCH = 500
_GLOB = re.compile(r"[][*?\\]")


class Member(Protocol):
    """A socket, as the hub sees it. None of these block or raise."""

    identity: Identity
    checked_at: float

    def push(self, message: dict[str, Any]) -> None:
        """A message of `publish.message`."""

    def tell(self, standing: Standing) -> None:
        """Where the user's inbox and journal stand now."""

    def dismiss(self) -> None:
        """Its session ended or its key was revoked."""


class Hub:
    def __init__(self) -> None:
        self._groups: dict[bytes, set[Member]] = {}
        self._members: dict[Member, set[bytes]] = {}
        self._users: Counter[int] = Counter()
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._tasks: list[asyncio.Task[None]] = []
        self._settled = asyncio.Event()
        self._asked: list[tuple[Identity, asyncio.Future[Standing | None]]] = []
        self._telling: asyncio.Task[None] | None = None
        self._tell_again = False
        self._late = False  # somebody went on without a link: it is still being made
        self.linked = False

    def __len__(self) -> int:
        return len(self._members)

    async def join(self, member: Member, groups: Iterable[str]) -> None:
        """From here on the member gets what is published to the groups. Waits until the link is up, or known down."""
        websocket_connections.inc()
        channels = {publish.redis_channel(group).encode() for group in groups}
        self._members[member] = channels
        self._users[member.identity.user_id] += 1
        for channel in channels:
            self._groups.setdefault(channel, set()).add(member)
        if not self._tasks:
            self._settled.clear()
            upkeep = (self._stay_linked, self._keep_up, self._check_access)
            self._tasks = [asyncio.create_task(work()) for work in upkeep]
        try:
            await asyncio.wait_for(self._settled.wait(), _LINK_WAIT_SECONDS)
        except TimeoutError:
            self._late = True

    def leave(self, member: Member) -> None:
        """The last one out ends the subscription."""
        channels = self._members.pop(member, None)
        if channels is None:
            return
        websocket_connections.dec()
        self._users[member.identity.user_id] -= 1
        if not self._users[member.identity.user_id]:
            del self._users[member.identity.user_id]
        for channel in channels:
            self._groups[channel].discard(member)
            if not self._groups[channel]:
                del self._groups[channel]
        if not self._members:
            for task in self._tasks:
                task.cancel()
            self._tasks, self.linked = [], False

    def sockets_of(self, user_id: int) -> int:
        """Return how many sockets this user has here."""
        return self._users[user_id]

    def turn_of(self, user_id: int) -> asyncio.Lock:
        """Return the lock under which one socket at a time of this user reads what it missed."""
        return self._turns.setdefault(user_id, asyncio.Lock())

    async def standing(self, identity: Identity) -> Standing | None:
        """Position of a user, None if they may not stay. Those asked for at the same time share the statements."""
        answer: asyncio.Future[Standing | None] = asyncio.get_running_loop().create_future()
        self._asked.append((identity, answer))
        if len(self._asked) == 1:
            asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._answer_gathered)
        return await answer

    def _answer_gathered(self) -> None:
        asked, self._asked = self._asked, []
        for start in range(0, len(asked), _BATCH):
            _in_background(self._answer(asked[start : start + _BATCH]))

    async def _answer(self, asked: Sequence[tuple[Identity, asyncio.Future[Standing | None]]]) -> None:
        try:
            found = await run(standings, {identity for identity, _ in asked}, now=timezone.now())
        except Exception as error:  # noqa: BLE001  each asker gets it
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
            return
        for identity, answer in asked:
            if not answer.done():
                answer.set_result(found.get(identity))

    # The link

    async def _stay_linked(self) -> None:
        shortest, longest = _RETRY_SECONDS
        delay, lost = shortest, False
        while True:
            _heed_cancellation()
            try:
                async with self._link() as connection:
                    if lost:
                        log.info("realtime_link_restored", extra={"sockets": len(self)})
                    if lost or self._late:
                        self._tell_everyone()
                    delay, lost, self._late, self.linked = shortest, False, False, True
                    self._settled.set()
                    await self._listen(connection)
            except _LINK_ERRORS as error:
                if not lost:
                    log.warning("realtime_link_lost", extra={"sockets": len(self), "error": repr(error)})
            except Exception:  # a mistake of ours must not end the pushes of every socket here
                log.exception("realtime_link_failed", extra={"sockets": len(self)})
            lost, self.linked = True, False
            self._settled.set()
            self._tell_everyone()
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, longest)

    @contextlib.asynccontextmanager
    async def _link(self) -> AsyncIterator[aioredis.Connection]:
        pool = aioredis.ConnectionPool.from_url(
            settings.REDIS_URL,
            protocol=2,
            driver_info=None,
            client_name=process_name(),
            socket_connect_timeout=1.0,
            socket_timeout=1.0,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        connection = pool.make_connection()
        try:
            await connection.connect()
            await connection.send_command("PSUBSCRIBE", _GLOB.sub(r"\\\g<0>", publish.redis_channel("")) + "*")
            await connection.read_response()
            _heed_cancellation()
            pings = asyncio.create_task(_ping(connection))
            try:
                yield connection
            finally:
                pings.cancel()
                await asyncio.wait({pings})
                _report(pings)
        finally:
            await connection.disconnect(nowait=True)

    async def _listen(self, connection: aioredis.Connection) -> None:
        while True:
            reply = await connection.read_response(timeout=_DEAF_SECONDS)
            _heed_cancellation()
            if reply[0] == b"pmessage":
                self._deliver(reply[2], reply[3])

    def _deliver(self, channel: bytes, data: bytes) -> None:
        members = self._groups.get(channel)
        if not members:
            if channel == publish.redis_channel(publish.ACCESS).encode():
                self._check_users({frame["user_id"] for frame in get_channel_layer().deserialize(data)["frames"]})
            return
        envelope = get_channel_layer().deserialize(data)
        if envelope.get("type") != publish.MESSAGE:
            return
        for member in tuple(members):
            for message in envelope["frames"]:
                member.push(message)

    # Upkeep

    def _tell_everyone(self) -> None:
        """In the background: it waits for the database. Asked again meanwhile, it is done again from the start."""
        if self._telling is not None and not self._telling.done():
            self._tell_again = True
        else:
            self._telling = asyncio.create_task(self._tell_all())

    async def _tell_all(self) -> None:
        self._tell_again = True
        while self._tell_again:
            self._tell_again = False
            await self._tell(tuple(self._members))

    async def _keep_up(self) -> None:
        """Tell the other processes how many sockets are here; look after those that send no pings themselves."""
        while True:
            await run(publish.report_connections, process=process_name(), connections=len(self))
            long_ago = time.monotonic() - 2 * settings.HEARTBEAT_SECONDS
            await self._tell([member for member in self._members if member.checked_at < long_ago])
            await asyncio.sleep(min(_REPORT_SECONDS, settings.HEARTBEAT_SECONDS))

    async def _check_access(self) -> None:
        """Disconnect those whose session or key has ended, whether or not anything said so."""
        while True:
            await asyncio.sleep(settings.ACCESS_CHECK_SECONDS)
            await self._dismiss_ended(tuple(self._members))

    def _check_users(self, user_ids: Collection[int]) -> None:
        """The same at once for the sockets of some users, in the background."""
        members = tuple(member for member in self._members if member.identity.user_id in user_ids)
        if members:
            _in_background(self._dismiss_ended(members))

    async def _dismiss_ended(self, members: Sequence[Member]) -> None:
        try:
            places = await run(ended, [member.identity for member in members], now=timezone.now())
        except DatabaseError as error:
            log.warning("socket_access_unknown", extra={"sockets": len(members), "error": repr(error)})
            return
        for place in places:
            members[place].dismiss()

    async def _tell(self, members: Sequence[Member]) -> None:
        for start in range(0, len(members), _BATCH):
            batch = members[start : start + _BATCH]
            try:
                found = await run(standings, {member.identity for member in batch}, now=timezone.now())
            except DatabaseError as error:
                log.warning("realtime_positions_unknown", extra={"sockets": len(batch), "error": repr(error)})
                return
            for member in batch:
                standing = found.get(member.identity)
                member.checked_at = time.monotonic()
                if standing is None:
                    member.dismiss()
                else:
                    member.tell(standing)


async def _ping(connection: aioredis.Connection) -> None:
    """Send pings. Where one fails the connection is closed, so that the reader finds out at once."""
    try:
        while True:
            await asyncio.sleep(_PING_SECONDS)
            await connection.send_command("PING")
            _heed_cancellation()
    except _LINK_ERRORS:
        pass
    finally:
        await connection.disconnect(nowait=True)


def _report(pings: asyncio.Task[None]) -> None:
    """Log what ended the pings, unless it was the link's own end."""
    if not pings.cancelled() and (error := pings.exception()) is not None:
        log.warning("realtime_ping_failed", extra={"error": repr(error)})


def _heed_cancellation() -> None:
    """Python 3.11's `wait_for`, by which redis-py sends, loses a cancellation that comes just as the sending is done.

    A link that went on after that would deliver everything a second time beside the next one.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


_background: set[asyncio.Future[None]] = set()


def _in_background(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    _background.add(task)
    task.add_done_callback(_background.discard)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running loop (a server has one loop, a test suite one a test)."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())


def process_name() -> str:
    """How this process's sockets are told apart from the others'."""
    return f"sockets:{socket.gethostname()}:{os.getpid()}"


def connections() -> int:
    """Open sockets of this process."""
    return sum(len(one) for one in _hubs.values())
