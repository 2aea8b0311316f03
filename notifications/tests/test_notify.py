"""From an event to the inbox: one row, one number, and never at the cost of the money."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.tests.factories import make_user
from activity.events import VOCABULARY
from activity.models import Activity, Alert
from activity.services import record
from activity.tests.factories import example_data, happened
from config.lib.metrics import rows_put_aside_total
from config.lib.unit_of_work import NotInUnitOfWork, unit_of_work
from dev.testing.fixtures import HoldRow
from notifications.inbox import services
from notifications.models import Inbox, Notification
from notifications.realtime.frames import encode
from wallet import services as wallet
from wallet.tests.factories import funded


def counters(user: Any) -> tuple[int, int]:
    inbox = Inbox.objects.get(user=user)
    return inbox.seq, inbox.unread


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was published, and to whom."""
    published: list[dict[str, Any]] = []

    def send(hints: Any) -> None:
        for group, frame in hints:
            published.append({"to": int(group.removeprefix("user.")), **json.loads(encode(frame))})

    monkeypatch.setattr("notifications.realtime.publish.send", send)
    return published


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Telling fails in the database, as a bad statement would."""
    return lambda: monkeypatch.setattr(
        "notifications.inbox.services.notifying._INSERT", "INSERT INTO notifications_inbox (user_id) VALUES (NULL)"
    )


@pytest.mark.django_db
def test_an_event_of_the_catalogue_is_notified_once() -> None:
    user = make_user()

    activity = happened(user)
    again = services.notify(activities=[activity])

    row = Notification.objects.get()
    assert again == 0
    assert (row.user, row.seq, row.activity, row.category, row.priority) == (
        user,
        1,
        activity,
        "announcement",
        "medium",
    )
    assert row.created_at == activity.created_at
    assert counters(user) == (1, 1)


@pytest.mark.django_db
def test_an_event_for_the_feed_alone_is_not_notified() -> None:
    happened(make_user(), "signin_failed")

    assert Notification.objects.count() == 0


@pytest.mark.django_db
def test_the_events_of_a_unit_are_rows_in_the_order_of_happening(django_assert_num_queries: Any) -> None:
    one, other = make_user(), make_user()
    happened(one)

    with django_assert_num_queries(4), unit_of_work():  # the savepoint, which the tests' transaction makes of it, too
        for user, event in (
            (other, "low_balance"),
            (one, "low_balance"),
            (one, "settings_updated"),
            (one, "announcement"),
        ):
            record(event=VOCABULARY[event], user=user, data=example_data(event))

    assert list(Activity.objects.order_by("pk").values_list("user", "event"))[1:] == [
        (other.pk, "low_balance"),
        (one.pk, "low_balance"),
        (one.pk, "settings_updated"),
        (one.pk, "announcement"),
    ]
    assert list(Notification.objects.order_by("pk").values_list("user", "seq", "activity__event"))[1:] == [
        (other.pk, 1, "low_balance"),
        (one.pk, 2, "low_balance"),
        (one.pk, 3, "announcement"),
    ]
    assert (counters(one), counters(other)) == ((3, 3), (1, 1))


@pytest.mark.django_db
def test_each_of_several_frames_says_what_is_unread_by_then(
    frames: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    user = make_user()
    with django_capture_on_commit_callbacks(execute=True), unit_of_work():
        for _ in range(2):
            record(event=VOCABULARY["low_balance"], user=user, data=example_data("low_balance"))

    shown = [(frame["type"], frame["seq"], frame["unread"]) for frame in frames if frame["type"] != "activity"]
    assert shown == [("notification", 1, 1), ("unread", 1, 1), ("notification", 2, 2), ("unread", 2, 2)]


@pytest.mark.django_db
def test_an_inner_unit_that_rolls_back_takes_its_events_along() -> None:
    user = make_user()
    with unit_of_work():
        happened(user, "low_balance")
        with unit_of_work():
            happened(user)
            transaction.set_rollback(True)

    assert list(Notification.objects.values_list("seq", "activity__event")) == [(1, "low_balance")]
    assert Activity.objects.count() == 1


@pytest.mark.django_db
def test_an_event_outside_a_unit_raises() -> None:
    with pytest.raises(NotInUnitOfWork):
        record(event=VOCABULARY["low_balance"], user=make_user(), data=example_data("low_balance"))


@pytest.mark.django_db
def test_each_customer_has_numbers_of_their_own() -> None:
    one, other = make_user(), make_user()

    happened(one)
    happened(other)
    happened(one)

    assert (counters(one), counters(other)) == ((2, 2), (1, 1))


@pytest.mark.django_db
def test_a_notification_goes_to_the_sockets_after_the_commit(
    frames: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    user = make_user()

    with django_capture_on_commit_callbacks(execute=True):
        happened(user, "announcement", title="Maintenance", text="Tonight", link="/help")
        assert frames == []

    row = Notification.objects.get()
    notification = {
        "to": user.pk,
        "type": "notification",
        "notification_type": "announcement",
        "id": row.pk,
        "seq": 1,
        "category": "announcement",
        "priority": "medium",
        "title": "Maintenance",
        "message": "Tonight",
        "link": "/help",
        "icon": "📣",
        "is_read": False,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
        "unread": 1,
    }
    assert frames[:2] == [notification, {"to": user.pk, "type": "unread", "unread": 1, "seq": 1}]
    assert (frames[2]["type"], frames[2]["event"]) == ("activity", "announcement")


@pytest.mark.django_db
def test_a_failure_to_notify_does_not_undo_the_money(broken: Any, caplog: pytest.LogCaptureFixture) -> None:
    user = make_user()
    broken()

    with caplog.at_level(logging.CRITICAL):
        funded(user, 500)

    assert wallet.wallet_of(user=user).balance == 500
    assert (Activity.objects.count(), Notification.objects.count()) == (1, 0)
    assert [record.getMessage() for record in caplog.records] == ["Failed to send wallet notification"]


@pytest.mark.django_db
def test_a_failure_to_notify_is_logged_once_a_category_and_swept_later(
    broken: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    user, now = make_user(), timezone.now() - timedelta(minutes=5)
    with caplog.at_level(logging.CRITICAL):
        broken()
        with unit_of_work():
            for event in ("instant_refund", "low_balance", "refund_failed"):
                happened(user, event, now=now)
        monkeypatch.undo()

    assert [record.getMessage() for record in caplog.records] == [
        "Failed to send refund notifications",
        "Failed to send wallet notification",
    ]
    assert (Activity.objects.count(), Notification.objects.count()) == (3, 0)
    services.repair(now=timezone.now())
    assert list(Notification.objects.order_by("seq").values_list("activity__event", flat=True)) == [
        "instant_refund",
        "low_balance",
        "refund_failed",
    ]


@pytest.mark.django_db
def test_a_socket_that_fails_harms_nothing(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    user = make_user()

    def fail(_hints: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("notifications.realtime.publish.send", fail)
    with django_capture_on_commit_callbacks(execute=True):
        funded(user, 500)

    assert counters(user) == (1, 1)


# --- the sweeper


@pytest.mark.django_db
def test_the_sweeper_adds_what_is_missing(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user()
    with monkeypatch.context() as patch:
        patch.setattr("notifications.inbox.services.notifying._INSERT", "SELECT nonsense")
        happened(user)
    notified_before = happened(user)

    swept = services.repair(now=timezone.now() + timedelta(seconds=settings.SWEEP_GRACE_SECONDS + 1))

    assert (swept.missing, swept.notified) == (1, 1)
    rows = Notification.objects.order_by("seq").values_list("seq", "activity_id")
    assert list(rows) == [(1, notified_before.pk), (2, Activity.objects.earliest("pk").pk)]
    assert counters(user) == (2, 2)


@pytest.mark.django_db
def test_the_sweeper_leaves_young_and_old_events_alone(broken: Any) -> None:
    user, now = make_user(), timezone.now()
    broken()
    happened(user, now=now - timedelta(seconds=30))
    happened(user, now=now - timedelta(hours=2))

    swept = services.repair(now=now, since=now - timedelta(hours=1))

    assert (swept.missing, swept.notified) == (0, 0)


@pytest.mark.django_db
def test_the_nightly_sweep_looks_at_all_events(monkeypatch: pytest.MonkeyPatch) -> None:
    user, now = make_user(), timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr("notifications.inbox.services.notifying._INSERT", "SELECT nonsense")
        happened(user, now=now - timedelta(days=40))

    assert services.repair(now=now).notified == 1


@pytest.mark.django_db
def test_sweeping_again_finds_nothing() -> None:
    user, now = make_user(), timezone.now()
    happened(user, now=now - timedelta(days=1))

    assert (services.repair(now=now).missing, counters(user)) == (0, (1, 1))


@pytest.mark.django_db
def test_one_that_fails_again_does_not_stop_the_others(broken: Any) -> None:
    user, now = make_user(), timezone.now()
    broken()
    for _ in range(3):
        happened(user, now=now - timedelta(minutes=5))

    swept = services.repair(now=now)

    assert (swept.missing, swept.notified) == (3, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("background_limits")
def test_a_locked_inbox_waits_for_the_next_sweep_and_the_others_do_not(
    monkeypatch: pytest.MonkeyPatch, hold_row: HoldRow
) -> None:
    ill, well, now = make_user("ill@example.test"), make_user("well@example.test"), timezone.now()
    for user in (ill, well):
        happened(user)
    with monkeypatch.context() as patch:
        patch.setattr("notifications.inbox.services.notifying._INSERT", "SELECT nonsense")
        for user in (ill, ill, ill, well):
            happened(user, now=now - timedelta(minutes=5))
    locked = rows_put_aside_total.labels(work="sweep", why="locked")
    counted = locked._value.get()

    with hold_row("notifications_inbox.user_id", ill.pk):
        swept = services.repair(now=now)
        assert (swept.missing, swept.notified, locked._value.get() - counted) == (4, 1, 1)
    swept = services.repair(now=now)

    assert (swept.missing, swept.notified, counters(ill), counters(well)) == (3, 3, (4, 4), (2, 2))


@pytest.mark.django_db
def test_a_refund_not_notified_in_time_alerts_staff(monkeypatch: pytest.MonkeyPatch) -> None:
    user, now = make_user(), timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr("notifications.inbox.services.notifying._INSERT", "SELECT nonsense")
        refund = happened(user, "instant_refund", now=now - timedelta(seconds=61))
        happened(user, "low_balance", now=now - timedelta(seconds=61))

    services.repair(now=now)

    alert = Alert.objects.get()
    assert (alert.rule, alert.cause, alert.severity, alert.user) == (
        "refund_notification_failed",
        f"activity:{refund.pk}",
        "critical",
        user,
    )
    assert alert.details == {"activity": refund.pk, "event": "instant_refund", "told_now": True}


# --- under load


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
@pytest.mark.drill
def test_twenty_events_at_once_are_numbered_without_a_hole(in_threads: Any) -> None:
    user = make_user()

    in_threads(lambda: happened(user), times=20)

    assert sorted(Notification.objects.values_list("seq", flat=True)) == list(range(1, 21))
    assert counters(user) == (20, 20)


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
@pytest.mark.drill
def test_two_sweepers_at_once_add_a_row_once(in_threads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user, now = make_user(), timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr("notifications.inbox.services.notifying._INSERT", "SELECT nonsense")
        for _ in range(5):
            happened(user, now=now - timedelta(minutes=5))

    in_threads(lambda: services.repair(now=now), times=4)

    assert sorted(Notification.objects.values_list("seq", flat=True)) == [1, 2, 3, 4, 5]
    assert counters(user) == (5, 5)


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
@pytest.mark.drill
def test_numbers_are_given_in_the_order_of_the_commits(in_threads: Any) -> None:
    """Whoever reads number n can read every smaller one."""
    user = make_user()
    seen: list[list[int]] = []

    def notify_and_look() -> None:
        with unit_of_work():
            happened(user)
        seen.append(sorted(Notification.objects.values_list("seq", flat=True)))

    in_threads(notify_and_look, times=10)

    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen)
