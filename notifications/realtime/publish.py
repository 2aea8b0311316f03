"""The only place that publishes to sockets: hints, sent after a commit. The database is the truth (`seq`, `resume`).

A kept synchronous client a process. `async_to_sync(group_send)` held a request for over 20 s with Redis hanging.
Nothing here raises or costs a request more than PUBLISH_TIMEOUT_SECONDS while Redis is down: after a failure
further frames are dropped at once for a second, so several of one request don't add up.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import redis
from channels.layers import get_channel_layer
from django.conf import settings

from config.lib.metrics import websocket_messages_total
from config.lib.redis.client import client
from config.lib.redis.guard import Guard, RedisPaused
from notifications.realtime import frames
from notifications.realtime.frames import ServerFrame

log = logging.getLogger(__name__)

MESSAGE = "socket.frame"
ALL = "all"
STAFF = "staff"
ACCESS = "access"  # for the processes that hold sockets, not for the sockets
_PRESENCE_SECONDS = 60
_AT_ONCE = 200


class AccessEnded(NamedTuple):
    """To every process: look again at the sockets of this user, a session or key of theirs has ended."""

    user_id: int
    type: str = "access_ended"


class Hint(NamedTuple):
    """A frame, and the group of sockets that it is for."""

    group: str
    frame: ServerFrame | AccessEnded


def to_user(user_id: int, frame: ServerFrame) -> Hint:
    """Return the hint for every socket of a user."""
    return Hint(user_group(user_id), frame)


def to_staff(frame: ServerFrame) -> Hint:
    """Return the hint for every open console."""
    return Hint(STAFF, frame)


def access_ended(user_id: int) -> Hint:
    """Return the hint for the processes that hold sockets of a user."""
    return Hint(ACCESS, AccessEnded(user_id))


guard = Guard(pause_seconds=1.0)


def user_group(user_id: int) -> str:
    return f"user.{user_id}"


def message(frame: ServerFrame) -> dict[str, Any]:
    """Return a frame with where it belongs: encoded once, however many sockets get it. Raises BadFrame."""
    text = frames.encode(frame)
    return {
        "channel": frame.channel,
        "topic": frame.topic,
        "seq": frame.seq if isinstance(frame, frames.Notification) else 0,
        "version": getattr(frame, "version", 0),
        "text": text,
    }


def envelope(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what one PUBLISH carries: messages for the same group, in their order."""
    return {"type": MESSAGE, "frames": list(messages)}


def redis_channel(group: str) -> str:
    """Return the layer's own name for a group (`RedisPubSubLoopLayer._get_group_channel_name`)."""
    return f"{settings.CHANNEL_PREFIX}__group__{group}"


def send(hints: Sequence[Hint]) -> None:
    """Publish in one round trip (for each 200). The frames of a group go in one message, in their order.

    A frame that is not as declared is dropped and logged. Call it after the commit.
    """
    for start in range(0, len(hints), _AT_ONCE):
        _send(hints[start : start + _AT_ONCE])


def _send(hints: Sequence[Hint]) -> None:
    types: Counter[str] = Counter()
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for group, frame in hints:
        try:
            encoded = {"user_id": frame.user_id} if isinstance(frame, AccessEnded) else message(frame)
        except frames.BadFrame as error:
            log.error("frame_refused", extra={"frame_type": type(frame).__name__, "reason": str(error)})
            continue
        types[frame.type] += 1
        groups.setdefault(group, []).append(encoded)
    if not groups:
        return
    try:
        with guard, _client().pipeline(transaction=False) as pipe:
            for group, messages in groups.items():
                pipe.publish(redis_channel(group), get_channel_layer().serialize(envelope(messages)))
            for name, times in types.items():
                pipe.hincrby(_counts_key(), name, times)
            pipe.execute()
    except RedisPaused:
        return
    except (redis.RedisError, OSError) as error:
        log.warning("publish_failed", extra={"group": hints[0].group, "frame_types": [*types], "error": repr(error)})
        return
    for name, times in types.items():
        websocket_messages_total.labels(type=name).inc(times)


def _client() -> redis.Redis:
    """Return the client for hints. Connecting and waiting for an answer share the time allowed."""
    budget = settings.PUBLISH_TIMEOUT_SECONDS
    return client(connect_seconds=budget * 0.4, answer_seconds=budget * 0.5)


# Who is connected, and how much was sent: best effort, for `GET /api/websocket/status`.


def _counts_key() -> str:
    return f"{settings.CHANNEL_PREFIX}:frames"


def _presence_key() -> str:
    return f"{settings.CHANNEL_PREFIX}:sockets"


def report_connections(*, process: str, connections: int) -> None:
    """Write down this process's open sockets for the others. Skipped while Redis is down."""
    entry = json.dumps({"connections": connections, "at": time.time()})
    with contextlib.suppress(redis.RedisError, OSError), guard, _client().pipeline(transaction=False) as pipe:
        pipe.hset(_presence_key(), process, entry)
        pipe.expire(_presence_key(), _PRESENCE_SECONDS * 10)
        pipe.execute()


def shared_counts() -> tuple[dict[str, int], dict[str, int]] | None:
    """Return (open sockets by process, frames published by type), None while Redis does not answer."""
    try:
        with guard, _client().pipeline(transaction=False) as pipe:
            pipe.hgetall(_presence_key())
            pipe.hgetall(_counts_key())
            answer = cast("list[dict[bytes, bytes]]", pipe.execute())
    except (redis.RedisError, OSError):
        return None
    fresh = time.time() - _PRESENCE_SECONDS
    entries = {process.decode(): json.loads(entry) for process, entry in answer[0].items()}
    sockets = {process: entry["connections"] for process, entry in entries.items() if entry["at"] > fresh}
    return sockets, {name.decode(): int(count) for name, count in answer[1].items()}
