"""What may be removed at last, and what never is."""

import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import make_user
from activity.models import Activity
from activity.tests.factories import happened
from config.lib.unit_of_work import unit_of_work
from dev.testing.live import until
from notifications import tasks
from notifications.inbox import services
from notifications.models import Inbox, Notification

pytestmark = pytest.mark.django_db


def test_old_events_go_except_those_of_money() -> None:
    user, now = make_user(), timezone.now()
    long_ago = now - timedelta(days=91)
    for event in ("security_signin", "signin_failed", "api_key_created", "instant_refund", "verification_timeout"):
        happened(user, event, now=long_ago)
    happened(user, "signin_failed", now=now - timedelta(days=89))

    assert services.cleanup(days=90, now=now) == 3
    assert sorted(Activity.objects.values_list("event", flat=True)) == [
        "instant_refund",
        "signin_failed",
        "verification_timeout",
    ]
    assert services.cleanup(days=90, now=now) == 0


def test_what_goes_unread_leaves_the_badge() -> None:
    user, other, now = make_user(), make_user(), timezone.now()
    read = happened(user, "security_signin", now=now - timedelta(days=91))
    services.mark_read(user=user, ids=[read.notification.pk])
    for who in (user, user, other):
        happened(who, "security_signin", now=now - timedelta(days=91))
    happened(user, "low_balance", now=now - timedelta(days=91))

    services.cleanup(days=90, now=now)

    assert list(Inbox.objects.order_by("user_id").values_list("seq", "unread")) == [(4, 1), (1, 0)]
    assert Notification.objects.get().seq == 4


def test_the_command_says_how_many_went() -> None:
    happened(make_user(), "signin_failed", now=timezone.now() - timedelta(days=8))
    out = StringIO()

    call_command("cleanup_activities", "--days", "7", stdout=out)

    assert out.getvalue() == "1 events older than 7 days were removed.\n"


@pytest.mark.parametrize("days", ["0", "-1", "x"])
def test_the_command_wants_a_number_of_days(days: str) -> None:
    with pytest.raises(CommandError, match="days"):
        call_command("cleanup_activities", f"--days={days}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
@pytest.mark.drill
def test_removing_waits_for_a_reader_instead_of_blocking_it(in_threads: Any) -> None:
    """Both lock the inbox before its rows, as everybody does: the other way round they would wait for each other."""
    user, now = make_user(), timezone.now()
    happened(user, "security_signin", now=now - timedelta(days=91))
    happened(user, "low_balance", now=now)
    locked = threading.Event()

    def read_all() -> int:
        with unit_of_work():
            services.mark_read(user=user, ids=[])  # holds the inbox
            locked.set()
            until(somebody_waits_for_a_lock, "the removal waits for the inbox")
            return services.mark_read(user=user, all=True).changed

    def remove() -> int:
        locked.wait(10)
        return services.cleanup(days=90, now=now)

    assert in_threads([read_all, remove]) == [2, 1]
    assert list(Inbox.objects.values_list("seq", "unread")) == [(2, 0)]


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT EXISTS ("
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])


def test_it_is_done_each_night(settings: Any) -> None:
    settings.ACTIVITIES_KEPT_DAYS = 90
    happened(make_user(), "signin_failed", now=timezone.now() - timedelta(days=91))
    assert settings.CELERY_BEAT_SCHEDULE["cleanup-activities"]["task"] == tasks.cleanup_activities.name
    assert tasks.cleanup_activities() == 1
