"""Who gets in, and what a socket answers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, User
from accounts.services import create_api_key, revoke_api_key
from accounts.tests.factories import make_user
from notifications.inbox.services import archive, mark_read
from notifications.models import Notification
from notifications.realtime import frames, publish
from notifications.sockets import tickets
from notifications.tests.sockets import Socket, announce, in_thread, joined, opened, sign_in
from wallet.tests.factories import funded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
make = in_thread(make_user)


async def test_the_hello_has_the_position_and_the_balance(settings):
    user = await make()
    await in_thread(funded)(user, 20_00)
    await in_thread(announce)(user, 2)
    seen = await in_thread(Notification.objects.filter(user=user).count)()
    session = await in_thread(sign_in)(user)
    async with opened(f"/ws/notifications/{user.pk}", session=session) as socket:
        hello = await socket.next()
        assert abs(timezone.now() - timezone.datetime.fromisoformat(hello.pop("timestamp"))) < timedelta(seconds=30)
        assert hello == {
            "type": "hello",
            "seq": seen,
            "unread": seen,
            "balance": "20.00",
            "available": "20.00",
            "version": 1,
            "heartbeat": settings.HEARTBEAT_SECONDS,
        }


async def test_a_new_customer_is_at_zero():
    user = await make()
    async with opened("/ws/balance", session=await in_thread(sign_in)(user)) as socket:
        hello = await socket.next()
        assert (hello["seq"], hello["unread"], hello["balance"], hello["version"]) == (0, 0, "0.00", 0)


@pytest.mark.parametrize("staff", [False, True])
async def test_a_socket_refuses_other_users_and_staff(staff):
    user = await make()
    other = await make(is_staff=staff)
    async with opened(f"/ws/notifications/{user.pk}", session=await in_thread(sign_in)(other)) as socket:
        assert await socket.close_code() == 4403


@pytest.mark.parametrize("path", ["/ws/xyz", "/ws/notifications/me", "/"])
async def test_an_address_that_has_no_socket_refuses(path):
    assert not await Socket(path).open()


async def test_the_console_is_for_staff():
    customer, staff = await make(), await make(is_staff=True, is_superuser=True)
    async with opened("/ws/console", session=await in_thread(sign_in)(customer)) as socket:
        assert await socket.close_code() == 4403
    async with opened("/ws/console", session=await in_thread(sign_in)(staff)) as socket:
        assert (await socket.next())["type"] == "hello"


async def test_the_console_gets_alerts_and_not_its_readers_own_inbox():
    staff = await make(is_staff=True, is_superuser=True)
    async with opened("/ws/console", session=await in_thread(sign_in)(staff)) as socket:
        await socket.next()
        await in_thread(announce)(staff)
        await in_thread(publish.send)([publish.to_staff(frames.Alert(id=1, rule="drift", severity="critical"))])
        assert await socket.next() == {"type": "alert", "id": 1, "rule": "drift", "severity": "critical"}


@pytest.mark.parametrize(("origin", "lets_in"), [("http://localhost:8000", True), ("https://evil.test", False)])
async def test_only_pages_of_ours_get_in(origin, lets_in):
    user = await make()
    session = await in_thread(sign_in)(user)
    assert await Socket(f"/ws/notifications/{user.pk}", session=session, origin=origin).open() is lets_in


async def test_a_cookie_without_an_origin_proves_nothing(settings):
    settings.AUTH_FRAME_SECONDS = 0
    user = await make()
    session = await in_thread(sign_in)(user)
    async with opened(f"/ws/notifications/{user.pk}", session=session, origin=None) as socket:
        assert await socket.close_code() == 4401


async def test_a_session_that_is_not_there_is_refused_at_once():
    async with opened("/ws/balance", session="x" * 32) as socket:
        assert await socket.close_code() == 4401


async def test_a_session_from_before_a_change_of_password_is_refused():
    user = await make()
    session = await in_thread(sign_in)(user)
    user.set_password("another-correct-horse")
    await in_thread(user.save)()
    async with opened("/ws/balance", session=session) as socket:
        assert await socket.close_code() == 4401


async def test_a_key_in_the_first_frame_signs_in():
    user = await make()
    _, secret = await in_thread(create_api_key)(user=user, name="bot")
    async with opened(f"/ws/notifications/{user.pk}", origin=None) as socket:
        await socket.say(type="auth", token=secret)
        assert (await socket.next())["type"] == "hello"


async def test_a_wrong_key_is_refused():
    async with opened("/ws/balance", origin=None) as socket:
        await socket.say(type="auth", token="rf_wrong")
        assert await socket.close_code() == 4401


async def test_a_key_without_read_is_not_let_in():
    user = await make()
    _, secret = await in_thread(create_api_key)(user=user, name="buyer", scopes=["buy"])
    async with opened("/ws/balance", origin=None) as socket:
        await socket.say(type="auth", token=secret)
        assert await socket.close_code() == 4403


async def test_a_socket_that_does_not_sign_in_in_time_is_closed(settings):
    settings.AUTH_FRAME_SECONDS = 0
    async with opened("/ws/balance", origin=None) as socket:
        assert await socket.close_code() == 4401


async def test_nothing_is_answered_before_signing_in():
    async with opened("/ws/balance", origin=None) as socket:
        await socket.say(type="ping")
        assert (await socket.next())["code"] == "not_authenticated"


async def test_a_ticket_lets_in_once():
    user = await make()
    key, _ = await in_thread(create_api_key)(user=user, name="bot")
    _, secret = await in_thread(tickets.issue)(user=user, api_key=key, session_key="", now=timezone.now())
    path = f"/ws/notifications/{user.pk}?token={secret}"
    async with opened(path, origin=None) as socket:
        assert (await socket.next())["type"] == "hello"
    async with opened(path, origin=None) as socket:
        assert await socket.close_code() == 4401


async def test_a_ticket_is_of_no_use_when_its_key_is_revoked():
    user = await make()
    key, _ = await in_thread(create_api_key)(user=user, name="bot")
    _, secret = await in_thread(tickets.issue)(user=user, api_key=key, session_key="", now=timezone.now())
    await in_thread(revoke_api_key)(user=user, key_id=key.pk)
    async with opened(f"/ws/balance?token={secret}", origin=None) as socket:
        assert await socket.close_code() == 4401


async def test_a_socket_whose_key_was_revoked_ends_at_its_next_ping():
    user = await make()
    key, secret = await in_thread(create_api_key)(user=user, name="bot")
    async with opened("/ws/balance", origin=None) as socket:
        await socket.say(type="auth", token=secret)
        await socket.next()
        await in_thread(revoke_api_key)(user=user, key_id=key.pk)
        await socket.say(type="ping")
        assert await socket.close_code() == 4401


@pytest.mark.parametrize("end", ["signs out", "is deactivated", "changes the password", "expires"])
async def test_a_socket_whose_session_ended_ends_at_its_next_ping(end):
    user = await make()
    session = await in_thread(sign_in)(user)
    kept = Session.objects.filter(session_key=session)
    ends = {
        "signs out": kept.delete,
        "expires": lambda: kept.update(expire_date=timezone.now() - timedelta(seconds=1)),
        "is deactivated": lambda: User.objects.filter(pk=user.pk).update(is_active=False),
        "changes the password": lambda: User.objects.filter(pk=user.pk).update(password="other"),
    }
    async with opened("/ws/balance", session=session) as socket:
        await socket.next()
        assert await socket.is_silent()
        await in_thread(ends[end])()
        await socket.say(type="ping")
        assert await socket.close_code() == 4401


async def test_a_silent_socket_whose_session_ended_is_found_without_a_ping(settings):
    settings.HEARTBEAT_SECONDS = 0
    user = await make()
    session = await in_thread(sign_in)(user)
    async with opened("/ws/balance", session=session) as socket:
        await socket.next()
        await in_thread(Session.objects.filter(session_key=session).delete)()
        assert await socket.close_code() == 4401


ENDS: dict[str, Callable[[User, ApiKey, str], Any]] = {
    "the session is deleted": lambda _user, _key, session: Session.objects.filter(session_key=session).delete(),
    "the session expires": lambda _user, _key, session: Session.objects.filter(session_key=session).update(
        expire_date=timezone.now() - timedelta(seconds=1)
    ),
    "the account is closed": lambda user, _key, _session: User.objects.filter(pk=user.pk).update(is_active=False),
    "the password changes": lambda user, _key, _session: User.objects.filter(pk=user.pk).update(password="other"),
    "the key is revoked": lambda _user, key, _session: ApiKey.objects.filter(pk=key.pk).update(
        revoked_at=timezone.now()
    ),
    "the key expires": lambda _user, key, _session: ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now()),
    "the key is gone": lambda _user, key, _session: key.delete(),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_socket_that_says_nothing_ends_within_five_seconds_and_the_others_stay(end, settings):
    assert settings.ACCESS_CHECK_SECONDS <= 4
    settings.ACCESS_CHECK_SECONDS = 0.05
    user, other = await make(), await make()
    session = await in_thread(sign_in)(user)
    key, secret = await in_thread(create_api_key)(user=user, name="bot")
    by_key = "key" in end
    async with joined(other) as stays, opened("/ws/balance", session="" if by_key else session) as socket:
        if by_key:
            await socket.say(type="auth", token=secret)
        await socket.next()
        await in_thread(ENDS[end])(user, key, session)
        assert await socket.close_code() == 4401
        assert await stays.is_silent()


async def test_signing_out_ends_the_sockets_of_that_session_at_once(settings):
    settings.ACCESS_CHECK_SECONDS = 3600
    user = await make()
    session, elsewhere = await in_thread(sign_in)(user), await in_thread(sign_in)(user)
    client = Client()
    client.cookies["sessionid"] = session
    async with opened("/ws/balance", session=session) as socket, opened("/ws/balance", session=elsewhere) as other:
        assert {(await socket.next())["type"], (await other.next())["type"]} == {"hello"}
        await in_thread(client.post)("/account/logout/")
        assert await socket.close_code() == 4401
        assert await other.is_silent()


async def test_a_key_that_is_revoked_ends_its_sockets_at_once(settings):
    settings.ACCESS_CHECK_SECONDS = 3600
    user = await make()
    key, secret = await in_thread(create_api_key)(user=user, name="bot")
    async with opened("/ws/balance", origin=None) as socket:
        await socket.say(type="auth", token=secret)
        await socket.next()
        await in_thread(revoke_api_key)(user=user, key_id=key.pk)
        assert await socket.close_code() == 4401


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", "bad_frame"),
        ('{"type": "auth", "token": "rf_again"}', "already_authenticated"),
        ('{"type": "subscribe", "channel": "console"}', "unknown_channel"),
        ('{"type": "subscribe", "channel": "verification:1"}', "unknown_channel"),
    ],
)
async def test_a_wrong_frame_is_named_and_the_socket_goes_on(text, code):
    async with joined(await make()) as socket:
        await socket.say_text(text)
        assert (await socket.next())["code"] == code
        assert await socket.is_silent()


async def test_bytes_are_a_wrong_frame():
    async with joined(await make()) as socket:
        await socket.wire.send_to(bytes_data=b"\x00")
        assert (await socket.next())["code"] == "bad_frame"


async def test_the_third_wrong_frame_closes():
    async with joined(await make()) as socket:
        for _ in range(3):
            await socket.say_text("{")
            assert (await socket.next())["type"] == "error"
        assert await socket.close_code() == 4400


async def test_a_flood_of_frames_closes():
    async with joined(await make()) as socket:
        for _ in range(60):
            await socket.say(type="ack", seq=1)
        assert [(await socket.next())["code"] for _ in range(3)] == ["throttled"] * 3
        assert await socket.close_code() == 4400


async def test_an_unsubscribed_channel_is_silent_until_it_is_subscribed_again():
    user = await make()
    async with joined(user) as socket:
        await socket.say(type="unsubscribe", channel="balance")
        assert await socket.is_silent()
        await in_thread(_publish_balance)(user, version=1)
        assert await socket.is_silent()
        await socket.say(type="subscribe", channel="balance")
        assert await socket.is_silent()
        await in_thread(_publish_balance)(user, version=2)
        assert (await socket.next())["version"] == 2


async def test_the_balance_socket_gets_balances_alone():
    user = await make()
    async with opened("/ws/balance", session=await in_thread(sign_in)(user)) as socket:
        await socket.next()
        await in_thread(announce)(user)
        await in_thread(_publish_balance)(user, version=7)
        assert (await socket.next())["version"] == 7
        await socket.say(type="subscribe", channel="notifications")
        assert (await socket.next())["code"] == "unknown_channel"


async def test_a_balance_reaches_every_socket_of_its_customer_and_no_other():
    user, other = await make(), await make()
    async with joined(user) as first, joined(user) as second, joined(other) as third:
        await in_thread(funded)(user, 5_00)
        for socket in (first, second):
            update = await socket.until("balance_update")
            assert (update["balance"], update["available"], update["version"]) == ("5.00", "5.00", 1)
        assert await third.is_silent()


async def test_resume_sends_all_that_is_missing_in_order():
    user = await make()
    async with joined(user) as socket:
        await in_thread(announce)(user, 5)
        await _drain(socket)
        await socket.say(type="resume", after=2)
        told = await socket.all_until("resumed")
        assert [frame["seq"] for frame in told if frame["type"] == "notification"] == [3, 4, 5]
        assert [frame["type"] for frame in told] == ["notification"] * 3 + ["balance_update", "resumed"]
        assert told[-1] == {"type": "resumed", "seq": 5, "unread": 5}


async def test_resume_passes_over_what_was_put_away_and_still_reaches_the_end():
    user = await make()
    await in_thread(announce)(user, 4)
    hidden = await in_thread(Notification.objects.get)(user=user, seq=4)
    await in_thread(archive)(user=user, ids=[hidden.pk])
    async with joined(user) as socket:
        await socket.say(type="resume", after=1)
        told = await socket.all_until("resumed")
        assert [frame["seq"] for frame in told if frame["type"] == "notification"] == [2, 3]
        assert told[-1]["seq"] == 4


async def test_resume_of_too_much_is_a_reset(settings):
    settings.RESUME_LIMIT = 3
    user = await make()
    await in_thread(announce)(user, 4)
    async with joined(user) as socket:
        await socket.say(type="resume", after=1)
        assert (await socket.all_until("resumed"))[-1]["seq"] == 4
        await socket.say(type="resume", after=0)
        assert await socket.next() == {"type": "reset", "seq": 4}


async def test_a_client_ahead_of_the_database_is_reset():
    async with joined(await make()) as socket:
        await socket.say(type="resume", after=10)
        assert await socket.next() == {"type": "reset", "seq": 0}


async def test_a_pong_has_the_position_of_the_inbox_and_the_journal():
    user = await make()
    async with joined(user) as socket:
        await in_thread(funded)(user, 1_00)
        await in_thread(announce)(user)
        seq = await in_thread(Notification.objects.filter(user=user).count)()
        await _drain(socket)
        await socket.say(type="ping")
        assert await socket.next() == {"type": "pong", "seq": seq, "version": 1}


async def test_reading_on_one_socket_changes_the_badge_of_the_others():
    user = await make()
    await in_thread(announce)(user, 3)
    first = await in_thread(Notification.objects.get)(user=user, seq=1)
    async with joined(user) as one, joined(user) as other:
        await one.say(type="read", ids=[first.pk])
        assert await other.next() == {"type": "unread", "unread": 2, "seq": 3, "read": [first.pk]}
        assert await one.next() == {"type": "unread", "unread": 2, "seq": 3, "read": [first.pk]}


async def test_anothers_notification_is_not_read():
    user, other = await make(), await make()
    await in_thread(announce)(user)
    mine = await in_thread(Notification.objects.get)(user=user)
    async with joined(other) as socket:
        await socket.say(type="read", ids=[mine.pk])
        assert await socket.is_silent()
    await in_thread(mine.refresh_from_db)()
    assert mine.read_at is None


async def test_a_key_reads_notifications_only_where_it_may_manage():
    user = await make()
    _, secret = await in_thread(create_api_key)(user=user, name="reader", scopes=["read"])
    async with opened(f"/ws/notifications/{user.pk}", origin=None) as socket:
        await socket.say(type="auth", token=secret)
        await socket.next()
        await socket.say(type="read", ids=[1])
        assert (await socket.next())["code"] == "forbidden"


async def test_reading_through_the_page_reaches_the_sockets():
    user = await make()
    await in_thread(announce)(user, 2)
    async with joined(user) as socket:
        await in_thread(mark_read)(user=user, all=True)
        frame = await socket.next()
        assert (frame["type"], frame["unread"], frame["seq"]) == ("unread", 0, 2)


def _publish_balance(user: User, *, version: int) -> None:
    frame = frames.balance_update(balance=1_00, held=0, version=version, now=timezone.now())
    publish.send([publish.to_user(user.pk, frame)])


async def _drain(socket: Socket) -> None:
    """Past every push so far: the pong is asked for after them, and its answer stands behind them in the queue."""
    await socket.say(type="ping")
    await socket.until("pong")
    await socket.say(type="ping")
    await socket.until("pong")
