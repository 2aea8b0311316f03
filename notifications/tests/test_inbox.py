"""Reading, archiving and deleting: counters that are always right."""

import json
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from accounts.tests.factories import make_user
from activity.tests.factories import happened
from config.lib.errors.base import NotFound
from config.lib.unit_of_work import unit_of_work
from notifications.inbox import services
from notifications.models import Inbox, Notification
from notifications.realtime import publish


def notified(user: User, times: int) -> list[int]:
    """Ids of so many notifications, oldest first."""
    return [happened(user).notification.pk for _ in range(times)]


def unread(user: User) -> int:
    """The counter, which must be what counting says."""
    inbox = Inbox.objects.get(user=user)
    counted = Notification.objects.filter(user=user, read_at=None, archived_at=None, deleted_at=None).count()
    assert inbox.unread == counted
    return counted


CHANGES = [services.mark_read, services.archive, services.delete]


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_read_or_put_away_leaves_the_badge_once(change: Any) -> None:
    user = make_user()
    first, second, _ = notified(user, 3)

    results = [change(user=user, ids=[first, second]), change(user=user, ids=[first])]

    assert results == [
        services.Changed(changed=2, seq=3, unread=1),
        services.Changed(changed=0, seq=3, unread=1),
    ]
    assert unread(user) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES)
def test_all_at_once(change: Any) -> None:
    user = make_user()
    notified(user, 3)

    assert change(user=user, all=True) == services.Changed(changed=3, seq=3, unread=0)
    assert unread(user) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("first", CHANGES)
@pytest.mark.parametrize("then", CHANGES)
def test_whatever_follows_whatever_the_badge_is_right(first: Any, then: Any) -> None:
    user = make_user()
    one, two, _ = notified(user, 3)

    first(user=user, ids=[one])
    then(user=user, ids=[one, two])

    assert unread(user) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES)
def test_another_customers_rows_are_not_there(change: Any) -> None:
    user, other = make_user(), make_user()
    notified(user, 1)
    (theirs,) = notified(other, 1)

    assert change(user=user, ids=[theirs]) == services.Changed(changed=0, seq=1, unread=1)
    assert unread(other) == 1


@pytest.mark.django_db
def test_without_an_inbox_there_is_nothing_to_change() -> None:
    assert services.mark_read(user=make_user(), all=True) == services.Changed(changed=0, seq=0, unread=0)


@pytest.mark.django_db
def test_hidden_rows_keep_their_numbers() -> None:
    user = make_user()
    notified(user, 3)

    services.delete(user=user, all=True)
    notified(user, 1)

    assert list(Notification.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4]


@pytest.mark.django_db
def test_a_click_is_noted_once_and_reads_it() -> None:
    user = make_user()
    (pk,) = notified(user, 1)

    first = services.mark_clicked(user=user, notification_id=pk)
    again = services.mark_clicked(user=user, notification_id=pk)

    assert again.clicked_at == first.clicked_at
    assert Notification.objects.get().read_at == first.read_at
    assert unread(user) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("single", [services.mark_clicked, services.read_one])
def test_another_customers_notification_is_not_found(single: Any) -> None:
    (theirs,) = notified(make_user(), 1)

    with pytest.raises(NotFound):
        single(user=make_user(), notification_id=theirs)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "reported_as"), [(CHANGES[0], "read"), (CHANGES[1], "hidden"), (CHANGES[2], "hidden")]
)
def test_every_tab_hears_which_rows_changed(
    change: Any, reported_as: str, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    user = make_user()
    first, second, _ = notified(user, 3)
    frames: list[Any] = []
    monkeypatch.setattr("notifications.realtime.publish.send", frames.extend)

    with django_capture_on_commit_callbacks(execute=True):
        change(user=user, ids=[second, first])
    with django_capture_on_commit_callbacks(execute=True):
        change(user=user, ids=[second, first])

    [(group, frame)] = frames
    assert group == f"user.{user.pk}"
    assert json.loads(publish.frames.encode(frame)) == (
        {"type": "unread", "unread": 1, "seq": 3, reported_as: [first, second]}
    )


@pytest.mark.django_db
def test_too_many_rows_to_name_make_the_tabs_load_again(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    user = make_user()
    notified(user, publish.frames.MAX_IDS + 1)
    frames: list[Any] = []
    monkeypatch.setattr("notifications.realtime.publish.send", frames.extend)

    with django_capture_on_commit_callbacks(execute=True):
        services.mark_read(user=user, all=True)

    assert [json.loads(publish.frames.encode(frame)) for _, frame in frames] == [
        {"type": "unread", "unread": 0, "seq": publish.frames.MAX_IDS + 1, "stale": True}
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
@pytest.mark.drill
def test_ten_tabs_that_read_the_same_rows_count_each_once(in_threads: Any) -> None:
    user = make_user()
    ids = notified(user, 5)

    results = in_threads(lambda: services.mark_read(user=user, ids=ids[:3]), times=10)

    assert sorted(result.changed for result in results) == [0] * 9 + [3]
    assert unread(user) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
@pytest.mark.drill
def test_reading_archiving_deleting_and_new_rows_at_once_leave_the_badge_right(in_threads: Any) -> None:
    user = make_user()
    ids = notified(user, 6)

    work = [
        lambda: services.mark_read(user=user, ids=ids[:4]),
        lambda: services.archive(user=user, ids=list(reversed(ids[1:5]))),
        lambda: services.delete(user=user, ids=ids[2:]),
        lambda: services.mark_read(user=user, all=True),
        lambda: happened(user),
        lambda: happened(user),
    ]
    results = in_threads(work * 3)

    assert [result for result in results if isinstance(result, Exception)] == []
    assert 0 <= unread(user) <= 6
    assert Inbox.objects.get(user=user).seq == 12


@pytest.mark.django_db
def test_what_is_rolled_back_is_unread_again() -> None:
    user = make_user()
    ids = notified(user, 2)

    with unit_of_work():
        services.mark_read(user=user, ids=ids)
        transaction.set_rollback(True)

    assert unread(user) == 2
