"""One event of many customers: a row in each inbox, once, and the frames of it."""

import json
import logging
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from activity.events import ANNOUNCEMENT
from activity.models import Activity
from activity.services import record, record_for_all
from activity.tests.factories import make_verification
from config.lib.unit_of_work import unit_of_work
from notifications.announcements import services as announcements
from notifications.inbox import services
from notifications.models import Inbox, Notification
from notifications.realtime.frames import encode
from notifications.tests.sockets import in_thread, joined
from verifications.models import Message, Verification
from verifications.signals import verification_completed

ANNOUNCED = {"title": "Maintenance", "text": "Tonight", "link": "/help"}


def announce(*users: User) -> list[Activity]:
    with unit_of_work():
        return record_for_all(event=ANNOUNCEMENT, users=users, data=ANNOUNCED, resource=("announcement", "one"))


@pytest.mark.django_db
def test_each_customer_has_the_row_that_one_alone_would_have() -> None:
    alone, first, second = make_user(), make_user(), make_user()
    now = timezone.now()
    with unit_of_work():
        record(event=ANNOUNCEMENT, user=second, data=ANNOUNCED, now=now)
        record(event=ANNOUNCEMENT, user=alone, data=ANNOUNCED, resource=("announcement", "one"), now=now)

    with unit_of_work():
        record_for_all(
            event=ANNOUNCEMENT, users=[first, second], data=ANNOUNCED, resource=("announcement", "one"), now=now
        )

    def rows(user: User) -> list[Any]:
        fields = ("seq", "category", "priority", "created_at", "activity__resource_id", "activity__title")
        return list(Notification.objects.filter(user=user).order_by("seq").values_list(*fields))

    expected = (1, "announcement", "medium", now, "one", "Announcement")
    assert (rows(alone), rows(first)) == ([expected], [expected])
    assert rows(second)[1:] == [(2, *expected[1:])]
    assert list(Inbox.objects.order_by("user").values_list("user", "seq", "unread")) == [
        (alone.pk, 1, 1),
        (first.pk, 1, 1),
        (second.pk, 2, 2),
    ]


@pytest.mark.django_db
def test_notifying_again_adds_nothing() -> None:
    activities = announce(make_user(), make_user())

    assert services.notify(activities=activities) == 0
    assert list(Inbox.objects.values_list("seq", "unread")) == [(1, 1), (1, 1)]


@pytest.mark.django_db
def test_without_customers_nothing_is_recorded() -> None:
    assert announce() == []


@pytest.mark.django_db
def test_a_failure_leaves_the_events_for_the_sweeper(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("notifications.inbox.services.notifying._INSERT", "SELECT nonsense")
    with caplog.at_level(logging.CRITICAL):
        announce(make_user(), make_user())

    assert (Activity.objects.count(), Notification.objects.count()) == (2, 0)
    assert [record.getMessage() for record in caplog.records] == ["Failed to send announcement notifications"]


@pytest.mark.django_db
def test_an_event_that_reads_differently_for_each_is_shown_to_each_as_theirs(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    published: list[Any] = []
    monkeypatch.setattr("notifications.realtime.publish.send", published.extend)
    with django_capture_on_commit_callbacks(execute=True), unit_of_work():
        for code in ("111111", "222222"):
            verification = make_verification(make_user(), status="completed")
            message = Message.objects.create(
                verification=verification, digest=code, text=code, code=code, received_at=timezone.now()
            )
            verification_completed.send(sender=Verification, verification=verification, message=message)

    messages = [frame.message for _, frame in published if frame.type == "notification"]
    assert messages == ["Code: 111111 for WhatsApp", "Code: 222222 for WhatsApp"]


@pytest.mark.django_db
def test_all_get_the_frames_that_one_alone_would_get(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    published: dict[int, list[dict[str, Any]]] = {}

    def send(hints: Any) -> None:
        for group, frame in hints:
            frames = published.setdefault(int(group.removeprefix("user.")), [])
            frames.append({**json.loads(encode(frame)), "id": 0})

    monkeypatch.setattr("notifications.realtime.publish.send", send)
    now = timezone.now()
    alone, *others = make_user(), make_user(), make_user(time_zone="Asia/Tokyo")
    with django_capture_on_commit_callbacks(execute=True), unit_of_work():
        record(event=ANNOUNCEMENT, user=alone, data=ANNOUNCED, resource=("announcement", "one"), now=now)
        record_for_all(event=ANNOUNCEMENT, users=others, data=ANNOUNCED, resource=("announcement", "one"), now=now)

    assert [frame["type"] for frame in published[alone.pk]] == ["notification", "unread", "activity"]
    assert [published[user.pk] for user in others] == [published[alone.pk]] * 2


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_an_announcement_to_all_arrives_live() -> None:
    user = await in_thread(make_user)()
    async with joined(user) as socket:
        arguments = {"announcement_id": "one", "after": 0, "now": timezone.now(), **ANNOUNCED}
        await in_thread(announcements.announce_batch)(**arguments)
        frame = await socket.until("notification")

    row = await in_thread(Notification.objects.get)(user=user)
    assert (frame["id"], frame["seq"], frame["unread"], frame["title"]) == (row.pk, 1, 1, "Maintenance")


@pytest.mark.django_db(transaction=True)
def test_an_announcement_run_twice_at_once_notifies_each_once(in_threads: Any) -> None:
    for _ in range(5):
        make_user()
    arguments = {"announcement_id": "one", "after": 0, "now": timezone.now(), **ANNOUNCED}

    answers = in_threads(lambda: announcements.announce_batch(**arguments), times=4)

    assert answers == [None] * 4
    assert Activity.objects.count() == 5
    assert list(Inbox.objects.values_list("seq", "unread")) == [(1, 1)] * 5
