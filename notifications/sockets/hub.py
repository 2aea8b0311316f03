"""Every open socket of this process, fed by one Redis subscription.

One subscription and a dict of group -> sockets, instead of the layer's subscription a group: at 10,000 sockets the
slowest pushes took 2 ms instead of 900. What `realtime` publishes reaches the layer's clients all the same.

While the Redis link is down hints are lost, so the database is asked in their place: every socket gets a pong with the
position of its inbox and journal, and resumes what it lacks. Once more when the link is back.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from config.lib.backoff import Backoff
from config.lib.metrics import websocket_connections
from notifications.realtime import frames, publish
from notifications.sockets.identity import Identity, find_ended, pongs_of
from notifications.sockets.redis_link import LINK_ERRORS, open_link, process_name, raise_if_cancelled
from notifications.sockets.threads import run_in_thread

log = logging.getLogger(__name__)
_CHECKED_AT_ONCE = 250  # ten thousand at once kept the process's other frames waiting for 30 to 50 ms

_LINK_WAIT_SECONDS = 1.0
_RETRIES = Backoff(base=0.075, longest=1.5, jitter=1 / 3)  # 0.05 to 0.1 s at first, 1 to 2 s at last
_GATHER_SECONDS = 0.05  # heartbeats of many sockets share their statements; a third less work than with 10 ms
_REPORT_SECONDS = 10.0
_BATCH = 500


class Member(Protocol):
    """A socket, as the hub sees it. None of these block or raise."""

    identity: Identity
    checked_at: float

    def push(self, message: dict[str, Any]) -> None:
        """Send a message of `publish.message`, if the client follows its channel."""

    def push_pong(self, pong: frames.Pong) -> None:
        """Send the user's position, if the client is behind it."""

    def disconnect_signed_out(self) -> None:
        """Close: the session ended or the key was revoked."""


class Hub:
    def __init__(self) -> None:
        self.is_linked = False
        self._groups: dict[bytes, set[Member]] = {}
        self._members: dict[Member, set[bytes]] = {}
        self._users: Counter[int] = Counter()
        self._resume_locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._tasks: list[asyncio.Task[None]] = []
        self._background: set[asyncio.Task[None]] = set()
        self._link_known = asyncio.Event()  # that it is up, or that it is down
        self._missed_link = False  # a socket went on without it: it is still being made
        self._asked: list[tuple[Identity, asyncio.Future[frames.Pong | None]]] = []
        self._catching_up = self._catch_up_again = False

    def __len__(self) -> int:
        return len(self._members)

    # What sockets call

    async def join(self, member: Member, groups: Iterable[str]) -> None:
        """Add a member: it gets what is published to the groups from here on. Wait until the link is up or known down.

        The first one starts the subscription.
        """
        websocket_connections.inc()
        channels = {publish.redis_channel(group).encode() for group in groups}
        self._members[member] = channels
        self._users[member.identity.user_id] += 1
        for channel in channels:
            self._groups.setdefault(channel, set()).add(member)
        if not self._tasks:
            self._link_known.clear()
            upkeep = (self.stay_linked, self._report_and_catch_up, self._check_access)
            self._tasks = [asyncio.create_task(work()) for work in upkeep]
        try:
            await asyncio.wait_for(self._link_known.wait(), _LINK_WAIT_SECONDS)
        except TimeoutError:
            self._missed_link = True

    def leave(self, member: Member) -> None:
        """Remove a member, if it is one. The last one ends the subscription."""
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
            self._tasks, self.is_linked = [], False

    def sockets_of(self, user_id: int) -> int:
        """Return how many sockets this user has here."""
        return self._users[user_id]

    def resume_lock(self, user_id: int) -> asyncio.Lock:
        """Return the lock under which one socket at a time of this user reads what it missed."""
        return self._resume_locks.setdefault(user_id, asyncio.Lock())

    async def pong(self, identity: Identity) -> frames.Pong | None:
        """Return the user's position, None if they may not stay. Calls at about the same time share the statements."""
        answer: asyncio.Future[frames.Pong | None] = asyncio.get_running_loop().create_future()
        self._asked.append((identity, answer))
        if len(self._asked) == 1:
            self._in_background(self._answer_pings())
        return await answer

    async def _answer_pings(self) -> None:
        await asyncio.sleep(_GATHER_SECONDS)
        asked, self._asked = self._asked, []

        async def answer_batch(batch: Sequence[tuple[Identity, asyncio.Future[frames.Pong | None]]]) -> None:
            try:
                pongs = await run_in_thread(pongs_of, {identity for identity, _ in batch}, now=timezone.now())
            except Exception as error:  # noqa: BLE001  each asker gets it
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                return
            for identity, answer in batch:
                if not answer.done():
                    answer.set_result(pongs.get(identity))

        await asyncio.gather(*(answer_batch(asked[start : start + _BATCH]) for start in range(0, len(asked), _BATCH)))

    # The Redis link

    async def stay_linked(self) -> None:
        """Pass on what the link receives, and make it again whenever it is lost, until cancelled."""
        retries, failures, lost = _RETRIES, 0, False
        while True:
            raise_if_cancelled()
            try:
                async with open_link() as receive:
                    if lost:
                        log.info("realtime_link_restored", extra={"sockets": len(self)})
                    if lost or self._missed_link:
                        self._catch_up()
                    failures, lost, self._missed_link, self.is_linked = 0, False, False, True
                    self._link_known.set()
                    while True:
                        self._deliver(*await receive())
            except LINK_ERRORS as error:
                if not lost:
                    log.warning("realtime_link_lost", extra={"sockets": len(self), "error": repr(error)})
            except Exception:  # a mistake of ours must not end the pushes of every socket here
                log.exception("realtime_link_failed", extra={"sockets": len(self)})
            lost, self.is_linked = True, False
            self._link_known.set()
            self._catch_up()
            failures += 1
            await asyncio.sleep(retries.after(failures))

    def _deliver(self, channel: bytes, data: bytes) -> None:
        members = self._groups.get(channel)
        if members:
            envelope = get_channel_layer().deserialize(data)
            if envelope.get("type") == publish.MESSAGE:
                for member in tuple(members):
                    for message in envelope["frames"]:
                        member.push(message)
        elif channel == publish.redis_channel(publish.ACCESS).encode():
            user_ids = {message["user_id"] for message in get_channel_layer().deserialize(data)["frames"]}
            concerned = [member for member in self._members if member.identity.user_id in user_ids]
            if concerned:
                self._in_background(self._disconnect_ended(concerned))

    # What the database is asked for the sockets

    def _catch_up(self) -> None:
        """Send every socket its position, in the background. Called again meanwhile, it starts again after that."""

        async def push_to_all() -> None:
            try:
                while self._catch_up_again:
                    self._catch_up_again = False
                    await self._push_pongs(list(self._members))
            finally:
                self._catching_up = False

        self._catch_up_again = True
        if not self._catching_up:
            self._catching_up = True
            self._in_background(push_to_all())

    async def _push_pongs(self, members: Sequence[Member]) -> None:
        for start in range(0, len(members), _BATCH):
            batch = members[start : start + _BATCH]
            try:
                pongs = await run_in_thread(pongs_of, {member.identity for member in batch}, now=timezone.now())
            except DatabaseError as error:
                log.warning("realtime_positions_unknown", extra={"sockets": len(batch), "error": repr(error)})
                return
            for member in batch:
                pong = pongs.get(member.identity)
                member.checked_at = time.monotonic()
                if pong is None:
                    member.disconnect_signed_out()
                else:
                    member.push_pong(pong)

    async def _report_and_catch_up(self) -> None:
        """Tell the other processes how many sockets are here; send pongs to those that send no pings themselves."""
        while True:
            await run_in_thread(publish.report_connections, process=process_name(), connections=len(self))
            long_ago = time.monotonic() - 2 * settings.HEARTBEAT_SECONDS
            await self._push_pongs([member for member in self._members if member.checked_at < long_ago])
            await asyncio.sleep(min(_REPORT_SECONDS, settings.HEARTBEAT_SECONDS))

    async def _check_access(self) -> None:
        """Disconnect those whose session or key has ended, whether or not anything was published about it."""
        while True:
            slices = max(1, math.ceil(len(self._members) / _CHECKED_AT_ONCE))
            await asyncio.sleep(settings.ACCESS_CHECK_SECONDS / slices)
            members = list(self._members)
            for start in range(0, len(members), _CHECKED_AT_ONCE):
                await self._disconnect_ended(members[start : start + _CHECKED_AT_ONCE])
                if start + _CHECKED_AT_ONCE < len(members):
                    await asyncio.sleep(settings.ACCESS_CHECK_SECONDS / slices)

    async def _disconnect_ended(self, members: Sequence[Member]) -> None:
        try:
            ended = await run_in_thread(find_ended, [member.identity for member in members], now=timezone.now())
        except DatabaseError as error:
            log.warning("socket_access_unknown", extra={"sockets": len(members), "error": repr(error)})
            return
        for index in ended:
            members[index].disconnect_signed_out()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Return the hub of the running loop (a server has one loop, a test suite one a test)."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())


def connections() -> int:
    """Return how many sockets of this process are open."""
    return sum(len(one) for one in _hubs.values())
