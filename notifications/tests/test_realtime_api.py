"""Tickets, status and announcements by API."""

from datetime import timedelta

import pytest
from celery import current_app
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.services import create_api_key
from accounts.tests.factories import make_user
from activity.models import Activity
from notifications import tasks
from notifications.announcements import services
from notifications.models import Notification, Ticket
from notifications.realtime import frames, publish
from notifications.tests.sockets import in_thread, joined, opened

pytestmark = pytest.mark.django_db(transaction=True)
ANNOUNCED = {"title": "Maintenance", "text": "Tonight at ten", "link": "/help"}


def client_of(user, *, scopes=("read",)) -> Client:
    _, secret = create_api_key(user=user, name="bot", scopes=scopes)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def page_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_ticket_says_where_it_leads_and_how_long(settings):
    user = make_user()
    answer = client_of(user).post("/api/websocket/ticket")
    body = answer.json()
    assert answer.status_code == 201
    assert body == {
        "ticket": body["ticket"],
        "expires_in": settings.TICKET_SECONDS,
        "url": f"ws://localhost:8000/ws/notifications/{user.pk}?token={body['ticket']}",
    }


def test_a_ticket_runs_out_when_it_says(settings):
    client_of(make_user()).post("/api/websocket/ticket")
    left = Ticket.objects.get().expires_at - timezone.now()
    assert timedelta(seconds=settings.TICKET_SECONDS - 5) < left <= timedelta(seconds=settings.TICKET_SECONDS)


@pytest.mark.parametrize("path", ["ticket", "broadcast"])
def test_nobody_gets_anything_without_signing_in(path):
    assert Client().post(f"/api/websocket/{path}").status_code == 401
    assert Client().get("/api/websocket/status").status_code == 401


@pytest.mark.asyncio
async def test_the_ticket_of_a_page_ends_with_its_session():
    user = await in_thread(make_user)()
    client = await in_thread(page_of)(user)
    ticket = (await in_thread(client.post)("/api/websocket/ticket")).json()["ticket"]
    async with opened(f"/ws/notifications/{user.pk}?token={ticket}", origin=None) as socket:
        assert (await socket.next())["type"] == "hello"
        await in_thread(client.logout)()
        await socket.say(type="ping")
        assert await socket.close_code() == 4401


@pytest.mark.asyncio
async def test_status_counts_open_sockets_and_published_frames():
    user = await in_thread(make_user)()
    client = await in_thread(client_of)(user)
    async with joined(user), joined(user):
        await in_thread(publish.send)([publish.to_user(user.pk, frames.Reset(seq=1))])
        answer = (await in_thread(client.get)("/api/websocket/status")).json()
    published = answer.pop("messages")
    assert answer == {"connections": 2, "here": 2, "complete": True}
    assert published >= 1


def test_status_adds_the_other_processes_as_last_heard():
    publish.report_connections(process="elsewhere:1", connections=5)
    publish.report_connections(process="elsewhere:2", connections=7)
    answer = client_of(make_user()).get("/api/websocket/status").json()
    assert (answer["connections"], answer["here"]) == (12, 0)


def test_status_says_when_it_is_not_the_whole(settings):
    client = client_of(make_user())
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    answer = client.get("/api/websocket/status").json()
    assert (answer["connections"], answer["complete"]) == (0, False)


def test_customers_announce_nothing():
    answer = client_of(make_user(), scopes=("manage",)).post("/api/websocket/broadcast", ANNOUNCED, "application/json")
    assert answer.status_code == 403


def test_a_key_of_staff_needs_manage():
    staff = make_user(is_staff=True, is_superuser=True)
    assert client_of(staff).post("/api/websocket/broadcast", ANNOUNCED, "application/json").status_code == 403


@pytest.mark.parametrize("link", ["https://evil.test", "//evil.test", "/\\evil.test", "javascript:alert(1)", "help"])
def test_an_announcement_leads_nowhere_else(link):
    client = client_of(make_user(is_staff=True, is_superuser=True), scopes=("manage",))
    answer = client.post("/api/websocket/broadcast", {**ANNOUNCED, "link": link}, "application/json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["link"])


@pytest.mark.asyncio
async def test_an_announcement_to_one_customer_arrives_live_and_stays_in_the_inbox():
    staff, user = await in_thread(make_user)(is_staff=True, is_superuser=True), await in_thread(make_user)()
    client = await in_thread(client_of)(staff, scopes=("manage",))
    async with joined(user) as socket:
        body = {**ANNOUNCED, "user_id": user.pk}
        answer = await in_thread(client.post)("/api/websocket/broadcast", body, "application/json")
        frame = await socket.until("notification")
    assert (answer.status_code, answer.json()["recipients"]) == (200, 1)
    assert (frame["title"], frame["message"], frame["link"]) == ("Maintenance", "Tonight at ten", "/help")
    assert await in_thread(Notification.objects.filter(user=user).count)() == 1


def test_an_announcement_to_nobody_is_not_found():
    client = client_of(make_user(is_staff=True, is_superuser=True), scopes=("manage",))
    answer = client.post("/api/websocket/broadcast", {**ANNOUNCED, "user_id": 10**9}, "application/json")
    assert answer.status_code == 404


def test_an_announcement_to_all_reaches_every_active_customer_once(monkeypatch):
    monkeypatch.setattr("notifications.announcements.services.BATCH", 2)
    monkeypatch.setattr(current_app, "send_task", run_at_once)
    users = [make_user() for _ in range(4)]
    gone = make_user(is_active=False)
    staff = make_user(is_staff=True, is_superuser=True)
    client = client_of(staff, scopes=("manage",))
    answer = client.post("/api/websocket/broadcast", ANNOUNCED, "application/json")
    assert (answer.status_code, answer.json()["recipients"]) == (202, 5)
    recorded = Activity.objects.filter(event="announcement").order_by("user").values_list("user", "resource_id")
    assert list(recorded) == [(user.pk, answer.json()["announcement_id"]) for user in [*users, staff]]
    assert gone.activities.count() == 0


def test_an_announcement_run_twice_notifies_each_once():
    make_user()
    for _ in range(2):
        services.announce_batch(announcement_id="one", after=0, now=timezone.now(), **ANNOUNCED)
    assert Activity.objects.filter(event="announcement").count() == 1


def test_an_announcement_without_workers_is_refused(monkeypatch):
    def unreachable(*_args, **_kwargs):
        raise OperationalError

    monkeypatch.setattr(current_app, "send_task", unreachable)
    client = client_of(make_user(is_staff=True, is_superuser=True), scopes=("manage",))
    answer = client.post("/api/websocket/broadcast", ANNOUNCED, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (503, "workers_unavailable")


def run_at_once(name, *, kwargs, **_options):
    assert name == tasks.announce.name
    tasks.announce(**kwargs)
