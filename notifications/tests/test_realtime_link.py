"""While Redis is away the database answers in its place; and what one process commits, sockets of another get."""

import asyncio
import contextlib
import gc
import json
import socket
import time
from unittest import mock

import pytest
from channels.layers import get_channel_layer
from django.utils import timezone
from redis import asyncio as aioredis
from websockets.asyncio.client import connect

from accounts.services import create_api_key
from accounts.tests.factories import make_user
from config.lib.backoff import Backoff
from notifications.realtime import frames, publish
from notifications.sockets import hub, redis_link, send_queue
from notifications.tests.sockets import announce, in_thread, joined, sign_in
from verifications.models import Status, Verification
from verifications.tests.factories import make_service
from wallet.tests.factories import funded

make = in_thread(make_user)


@pytest.fixture
def no_redis(settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{taken.getsockname()[1]}/3"


def waiting(user) -> Verification:
    return Verification.objects.create(
        user=user,
        service=make_service(),
        country="US",
        price=50,
        currency="USD",
        provider="textverified",
        status=Status.WAITING,
        charged=True,
        expires_at=timezone.now(),
    )


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_without_redis_a_socket_opens_and_gets_its_position_from_the_database(no_redis):
    user = await make()
    async with joined(user) as socket:
        await in_thread(announce)(user)
        assert await socket.next() == {"type": "pong", "seq": 1, "version": 0}
        await socket.say(type="resume", after=0)
        assert (await socket.all_until("resumed"))[0]["type"] == "notification"


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_when_redis_comes_back_sockets_get_their_position_and_then_frames_again(no_redis, settings, request):
    working = get_channel_layer()._kwargs["hosts"][0]["address"]
    user = await make()
    async with joined(user) as socket:
        settings.REDIS_URL = working
        await in_thread(announce)(user)
        assert (await socket.until("pong"))["seq"] == 1
        await linked()
        publish.guard.is_down = False
        await in_thread(announce)(user)
        assert (await socket.until("notification"))["seq"] == 2


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_a_link_that_redis_cuts_is_made_again_and_sockets_get_their_position(redis_server, monkeypatch):
    user = await make()
    async with joined(user) as socket:
        monkeypatch.setattr(hub, "_RETRIES", Backoff(base=0.0, longest=0.0))
        await in_thread(_commit_unpublished)(user)
        await in_thread(_cut_link)(redis_server)
        assert await socket.next() == {"type": "pong", "seq": 1, "version": 0}
        await linked()
        await in_thread(announce)(user)
        assert (await socket.until("notification"))["seq"] == 2


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_a_socket_that_joins_before_the_first_link_is_up_gets_its_position_then(monkeypatch):
    send, up = aioredis.Connection.send_command, asyncio.Event()

    async def late(self, *words, **options):
        await up.wait()
        await send(self, *words, **options)

    monkeypatch.setattr(aioredis.Connection, "send_command", late)
    monkeypatch.setattr(hub, "_LINK_WAIT_SECONDS", 0.0)
    user = await make()
    async with joined(user) as socket:
        await in_thread(_commit_unpublished)(user)
        up.set()
        assert await socket.next() == {"type": "pong", "seq": 1, "version": 0}


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_a_link_that_is_silent_is_given_up(monkeypatch, settings):
    """A hanging Redis keeps the connection and says nothing."""
    monkeypatch.setattr(redis_link, "_DEAF_SECONDS", 0.05)
    monkeypatch.setattr(hub, "_RETRIES", Backoff(base=0.0, longest=0.0))
    user = await make()
    async with joined(user) as socket:
        await in_thread(_commit_unpublished)(user)
        assert (await socket.next())["type"] == "pong"


@pytest.mark.asyncio
async def test_a_cancellation_that_is_lost_while_sending_ends_the_link_all_the_same(monkeypatch):
    """As `asyncio.wait_for` of Python 3.11 may lose it."""
    send = aioredis.Connection.send_command

    async def losing(self, *words, **options):
        await send(self, *words, **options)
        if words[0] == "PSUBSCRIBE":
            link.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    monkeypatch.setattr(aioredis.Connection, "send_command", losing)
    link = asyncio.create_task(hub.Hub().stay_linked())
    await asyncio.wait({link}, timeout=30)
    assert link.cancelled()


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fails", ["at once", "as it is cancelled"])
async def test_a_ping_that_fails_otherwise_renews_the_link_and_leaves_no_exception_behind(
    fails, redis_server, monkeypatch
):
    """As a transport does that is closed while something is written to it."""
    complaints: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    send, armed, pinged = aioredis.Connection.send_command, asyncio.Event(), asyncio.Event()

    async def failing(self, *words, **options):
        if words[0] == "PING" and armed.is_set() and not pinged.is_set():
            pinged.set()
            try:
                await asyncio.sleep(0 if fails == "at once" else 3600)
            finally:
                raise RuntimeError("unable to perform operation on <TCPTransport closed=True>")
        await send(self, *words, **options)

    monkeypatch.setattr(redis_link, "_PING_SECONDS", 0.01)
    monkeypatch.setattr(redis_link, "_DEAF_SECONDS", 3600)
    monkeypatch.setattr(hub, "_RETRIES", Backoff(base=0.0, longest=0.0))
    monkeypatch.setattr(aioredis.Connection, "send_command", failing)
    user = await make()
    async with joined(user) as socket:
        await in_thread(_commit_unpublished)(user)
        armed.set()
        await asyncio.wait_for(pinged.wait(), 30)
        if fails == "as it is cancelled":
            await in_thread(_cut_link)(redis_server)
        assert await socket.next() == {"type": "pong", "seq": 1, "version": 0}, "told as the link was made again"
        await linked()
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_pings_of_many_sockets_share_their_statements(django_assert_max_num_queries, monkeypatch):
    calls = []
    real = hub.pongs_of

    def counted(identities, **given):
        calls.append(len(identities))
        return real(identities, **given)

    user = await make()
    async with joined(user) as one, joined(user) as two, joined(user) as three:
        monkeypatch.setattr(hub, "pongs_of", counted)
        for socket in (one, two, three):
            await socket.say(type="ping")
        for socket in (one, two, three):
            await socket.until("pong")
    assert sum(calls) == 3
    assert len(calls) < 3


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_the_last_socket_ends_the_subscription():
    user = await make()
    async with joined(user):
        assert len(hub.hub()) == 1
    assert (len(hub.hub()), hub.hub()._tasks, hub.hub()._groups) == (0, [], {})


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_a_reader_too_slow_for_its_frames_starts_again(monkeypatch):
    monkeypatch.setattr(send_queue, "_LIMIT", 3)
    user = await make()
    async with joined(user) as socket:
        member = next(iter(hub.hub()._members))
        for _ in range(5):
            member.push(publish.message(frames.Reset(seq=1)))
        assert [(await socket.next())["type"] for _ in range(4)] == ["reset"] * 4
        assert await socket.close_code() == 1013


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_following_a_verification_sends_its_state_and_then_its_changes():
    user = await make()
    verification = await in_thread(waiting)(user)
    channel = f"verification:{verification.pk}"
    async with joined(user) as socket:
        await socket.say(type="unsubscribe", channel="verifications")
        await socket.say(type="subscribe", channel=channel)
        state = await socket.next()
        assert (state["type"], state["id"], state["status"]) == ("verification", str(verification.pk), "waiting")
        for pk in ("another", str(verification.pk)):
            frame = frames.verification({"id": pk, "status": "completed"})
            await in_thread(publish.send)([publish.to_user(user.pk, frame)])
        assert (await socket.next())["status"] == "completed"
        assert await socket.is_silent()
        await socket.say(type="unsubscribe", channel=channel)
        assert await socket.is_silent()
        await in_thread(publish.send)([publish.to_user(user.pk, frame)])
        assert await socket.is_silent()


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_anothers_verification_can_not_be_followed():
    user, other = await make(), await make()
    verification = await in_thread(waiting)(user)
    async with joined(other) as socket:
        await socket.say(type="subscribe", channel=f"verification:{verification.pk}")
        assert (await socket.next())["code"] == "not_found"


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_resume_sends_the_open_verifications_too():
    user = await make()
    verification = await in_thread(waiting)(user)
    async with joined(user) as socket:
        await socket.say(type="resume", after=0)
        told = await socket.all_until("resumed")
        assert [frame["id"] for frame in told if frame["type"] == "verification"] == [str(verification.pk)]


@pytest.mark.slow
def test_what_one_process_commits_the_sockets_of_another_get(live):
    """Over TCP, through daphne, twice."""
    other = live.another_web()
    user = make_user()
    _, secret = create_api_key(user=user, name="bot")
    asyncio.run(_follow_across(other, live.web, user, secret, sign_in(user)))


async def _follow_across(first, second, user, secret, session) -> None:
    path = f"/ws/notifications/{user.pk}"
    cookies = {"Cookie": f"sessionid={session}", "Origin": second.url}
    async with (
        connect(f"ws://127.0.0.1:{first.port}{path}") as program,
        connect(f"ws://localhost:{second.port}{path}", additional_headers=cookies) as page,
    ):
        await program.send(json.dumps({"type": "auth", "token": secret}))
        for wire in (program, page):
            assert (await _next(wire))["type"] == "hello"
        await in_thread(funded)(user, 7_00)
        for wire in (program, page):
            heard = [await _next(wire)]
            while heard[-1]["type"] != "balance_update":
                heard.append(await _next(wire))
            assert heard[-1]["balance"] == "7.00"


async def _next(wire) -> dict:
    return json.loads(await asyncio.wait_for(wire.recv(), 30))


async def linked() -> None:
    """Until Redis has this process's subscription."""
    deadline = time.monotonic() + 30
    while not hub.hub().is_linked:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def _cut_link(redis_server) -> None:
    ours = [client for client in redis_server.client_list() if client["name"] == redis_link.process_name()]
    assert [redis_server.client_kill_filter(_id=client["id"]) for client in ours] == [1]


def _commit_unpublished(user) -> None:
    """An event whose hints are lost."""
    with mock.patch.object(publish, "send"):
        announce(user)
