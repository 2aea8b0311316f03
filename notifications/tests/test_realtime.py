"""Publishing: what it reaches, and what it costs while Redis is down."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator

import pytest
import redis
from channels.layers import get_channel_layer
from django.utils import timezone

from config.lib.metrics import websocket_messages_total
from config.lib.redis import guard
from config.lib.redis.client import _client_of
from notifications.realtime import frames, publish

PONG = frames.Pong(seq=1, version=2)
BUDGET_SECONDS = 0.25


@pytest.fixture
def closed_port(settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{taken.getsockname()[1]}/3"


@pytest.fixture
def black_hole(settings) -> Iterator[None]:
    """Accepts, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/3"
        yield


@pytest.fixture
def full_backlog(settings) -> Iterator[None]:
    """Does not even accept: connections hang."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as waiting:
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/3"
        yield


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("group", "send"),
    [
        ("user.42", lambda: publish.send([publish.to_user(42, PONG)])),
        ("staff", lambda: publish.send([publish.to_staff(PONG)])),
        ("all", lambda: publish.send([publish.Hint(publish.ALL, PONG)])),
    ],
)
async def test_what_is_published_reaches_the_clients_of_the_channel_layer(group, send):
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    await asyncio.to_thread(send)
    message = await asyncio.wait_for(layer.receive(channel), 30)
    assert message == {"type": "socket.frame", "frames": [publish.message(PONG)]}
    await layer.flush()


def test_what_leaves_together_for_a_group_is_one_message_in_its_order(monkeypatch):
    ready = [publish.to_user(to, frames.Pong(seq=1, version=version)) for to, version in ((1, 1), (2, 2), (1, 3))]
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    with client.pubsub() as heard:
        heard.psubscribe(publish.redis_channel("") + "*")
        heard.get_message(timeout=30)
        publish.send(ready)
        bodies = [heard.get_message(timeout=30) for _ in range(2)]
    read = get_channel_layer().deserialize
    assert [[one["version"] for one in read(body["data"])["frames"]] for body in bodies] == [[1, 3], [2]]


def test_a_frame_is_encoded_once_and_carries_where_it_belongs():
    frame = frames.verification({"id": "1f", "status": "waiting"})
    assert publish.message(frame) == {
        "channel": "verifications",
        "topic": "verification:1f",
        "seq": 0,
        "version": 0,
        "text": '{"type":"verification","id":"1f","status":"waiting"}',
    }


@pytest.mark.parametrize("fault", ["closed_port", "black_hole", "full_backlog"])
def test_a_dead_redis_costs_a_request_less_than_its_budget_however_much_it_publishes(fault, request):
    request.getfixturevalue(fault)
    options = publish._client().connection_pool.connection_kwargs
    assert options["socket_connect_timeout"] + options["socket_timeout"] <= BUDGET_SECONDS
    began = time.monotonic()
    for _ in range(100):
        publish.send([publish.to_user(1, PONG)])
    assert time.monotonic() - began < 20 * BUDGET_SECONDS, "a hundred of them wait once"


def test_after_a_failure_frames_are_dropped_without_trying_for_a_second(black_hole, settings, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(guard.time, "monotonic", lambda: clock[0])
    working, dead = os.environ["REDIS_URL"], settings.REDIS_URL
    settings.REDIS_URL = dead
    publish.send([publish.to_user(1, PONG)])
    settings.REDIS_URL = working
    assert published(lambda: publish.send([publish.to_user(1, PONG)])) == 0
    clock[0] += 1.1
    assert published(lambda: [publish.send([publish.to_user(1, PONG)]) for _ in range(2)]) == 2


def test_a_connection_that_redis_closed_is_replaced_without_a_loss(redis_server):
    publish.send([publish.to_user(1, PONG)])
    assert redis_server.client_kill_filter(_id=str(publish._client().client_id())) == 1
    assert published(lambda: publish.send([publish.to_user(1, PONG)])) == 1


def test_a_child_process_does_not_speak_on_its_parents_connection():
    publish.send([publish.to_user(1, PONG)])
    child = os.fork()
    if child == 0:  # pragma: no cover  (the child's own process)
        publish.send([publish.to_user(1, PONG)])
        os._exit(1 if publish.guard.is_down else 0)
    assert published(lambda: publish.send([publish.to_user(1, PONG)])) == 1
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"type": "surprise"},
        {"type": "pong", "seq": 1},
        {"type": "pong", "seq": 1, "version": "2"},
        {"type": "pong", "seq": 1, "version": 2, "more": 3},
        {"type": "payment", "reference": "r", "status": "paid", "amount": 20.0},
        {"type": "payment", "reference": "r", "status": "paid", "fee": 0.1},
        {"type": "balance_update", "balance": "1", "available": "1.00", "version": 1, "transaction": None},
    ],
)
def test_a_frame_that_is_not_declared_is_logged_and_dropped(frame, caplog):
    assert published(lambda: publish.send([publish.to_user(1, frame)])) == 0
    assert [record.message for record in caplog.records] == ["frame_refused"]


@pytest.mark.django_db
def test_a_failing_publish_undoes_nothing_and_leaves_the_next_callback_be(
    closed_port, django_capture_on_commit_callbacks
):
    from notifications.realtime import hints

    done = []
    with django_capture_on_commit_callbacks(execute=True):
        hints.push(user_id=1, build=lambda: PONG)
        from django.db import transaction

        transaction.on_commit(lambda: done.append("next"))
    assert done == ["next"]


def test_what_is_sent_is_counted_by_its_type():
    assert published(lambda: publish.send([publish.to_staff(frames.Health())]), kind="health") == 1


def test_the_builders_make_declared_frames():
    now = timezone.now()
    shown = {
        "id": 1,
        "seq": 1,
        "type": "low_balance",
        "category": "wallet",
        "priority": "medium",
        "title": "Low Balance",
        "message": "$1.00 left. Add credits to continue",
        "link": "/wallet/top-up",
        "icon": "⚠️",
        "is_read": False,
        "created_at": frames.iso(now),
    }
    assert checked(frames.notification(shown, unread=3)).channel == "notifications"
    assert frames.notification(shown).notification_type == "low_balance"
    assert checked(frames.balance_update(balance=1, held=0, version=1, now=now)).channel == "balance"
    assert checked(frames.unread(unread=1, seq=1, read=[1])).channel == "notifications"
    assert checked(frames.error("code", "A sentence.")).channel == ""


def test_balances_travel_as_text_with_two_places():
    frame = frames.balance_update(balance=20_50, held=50, version=3, now=timezone.now())
    assert (frame.balance, frame.available) == ("20.50", "20.00")


def checked(frame: frames.ServerFrame) -> frames.ServerFrame:
    frames.encode(frame)
    return frame


def published(work, *, kind: str = "pong") -> int:
    """How many frames of this type went out meanwhile."""
    counter = websocket_messages_total.labels(type=kind)._value
    before = counter.get()
    work()
    return int(counter.get() - before)


def test_the_client_asks_redis_for_nothing_on_the_way():
    """No HELLO, no SETINFO, no second try: each would wait once more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = _client_of(f"redis://127.0.0.1:{server.getsockname()[1]}/3", 0.1, 0.125)
        with pytest.raises(redis.TimeoutError):
            client.publish("channel", b"frame")
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1000) == b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
