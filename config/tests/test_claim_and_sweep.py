"""Due rows: claimed by one, worked on, put aside where they are locked."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiKey, User
from accounts.tests.factories import make_user
from config.lib import threads
from config.lib.metrics import rows_put_aside_total
from config.lib.remote.errors import OutcomeUnknown, Throttled, Unavailable
from config.lib.sweep import Rows, claim, sweep
from dev.testing.fixtures import HoldRow, InThreads

NOW = timezone.now()
LATER = NOW + timedelta(minutes=1)
due = ApiKey.objects.filter(last_used_at__lte=NOW).order_by("last_used_at")


def make_keys(number: int) -> list[ApiKey]:
    user = make_user()
    return [
        ApiKey.objects.create(
            user=user,
            name=str(place),
            digest=str(place),
            scopes=[],
            last_used_at=NOW - timedelta(hours=number - place),
        )
        for place in range(number)
    ]


def next_turn(_row: ApiKey) -> dict[str, datetime]:
    return {"last_used_at": LATER}


class LockTimeout(OperationalError):
    """As the database raises it."""

    def __init__(self) -> None:
        super().__init__()
        self.__cause__ = Exception()
        self.__cause__.sqlstate = "55P03"  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
def test_each_due_row_is_claimed_once_in_its_order(in_threads: InThreads) -> None:
    keys = make_keys(3)
    assert claim(due, next_turn, most=2) == keys[:2]
    assert keys[0].last_used_at != LATER
    claimed = in_threads(lambda: claim(due, next_turn), times=4)
    assert [row for rows in claimed for row in rows] == keys[2:]
    assert set(ApiKey.objects.values_list("last_used_at", flat=True)) == {LATER}


@pytest.mark.django_db(transaction=True)
def test_a_claimed_row_shows_its_next_turn_and_rows_with_the_same_are_one_statement(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_keys(3)
    with django_assert_num_queries(2 + 2):  # the two of the transaction
        rows = claim(due, next_turn, most=3)
    assert [row.last_used_at for row in rows] == [LATER] * 3


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_locked_is_passed_over(hold_row: HoldRow) -> None:
    keys = make_keys(2)
    with hold_row("accounts_apikey.id", keys[0].pk):
        assert claim(due, next_turn, most=2) == keys[1:]


def test_a_sweep_goes_on_until_nothing_is_due_or_its_bounds_are_reached() -> None:
    def run(**bounds: Any) -> int:
        batches = iter([[User(), User()]] * 3 + [[]])
        return sweep(claim=lambda: next(batches), work=len, **{"seconds": 60, **bounds})

    assert [run(), run(most=3), run(seconds=0), run(stop=lambda: True)] == [6, 4, 0, 0]


def test_a_row_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    done: list[Any] = []

    def work(row: User) -> None:
        if row.pk == 2:
            raise RuntimeError("ill")
        done.append(row.pk)

    rows = Rows(work, label="test", owner=lambda row: row.pk)
    assert rows.one_by_one([User(pk=pk) for pk in (1, 2, 3)]) == 3
    assert (done, caplog.messages) == ([1, 3], ["User 2 could not be worked on"])


def test_where_one_row_is_locked_its_owners_others_are_put_aside() -> None:
    aside: list[Sequence[User]] = []

    def work(row: User) -> None:
        if row.pk == 2:
            raise LockTimeout

    rows = Rows(work, label="test", owner=lambda row: row.name, put_aside=aside.append)
    counted = rows_put_aside_total.labels(work="test", why="locked")._value.get()
    ours, theirs = [User(pk=pk, name="ours") for pk in (1, 2, 3)], [User(pk=4, name="theirs")]
    assert rows.one_by_one([*ours, *theirs]) == 3
    assert (rows.one_by_one(ours[:1]), rows.one_by_one(theirs)) == (0, 1)
    assert aside == [ours[1:], ours[:1]]
    assert rows_put_aside_total.labels(work="test", why="locked")._value.get() - counted == 3


def test_a_vendor_that_leaves_three_rows_in_a_row_without_an_answer_is_silent() -> None:
    def work(row: User) -> None:
        if row.pk != 3:
            raise [Unavailable, Throttled, OutcomeUnknown][row.pk % 3]

    rows = Rows(work, label="test", owner=lambda row: row.pk)
    found = [(rows.one_by_one([User(pk=pk)]), rows.vendor_is_silent()) for pk in range(1, 7)]
    assert found == [(1, False)] * 5 + [(1, True)]


def test_the_rows_of_one_owner_never_hold_more_than_one_thread() -> None:
    """Forty rows of one, each of which waits until the three others are done."""
    rows = [User(pk=number) for number in [1] * 40 + [2, 3, 4]]
    others = threading.Semaphore(0)
    waited: list[bool] = []

    def work(row: User) -> None:
        if row.pk != 1:
            others.release()
        elif not waited:
            waited.append(all(others.acquire(timeout=10) for _ in range(3)))

    assert Rows(work, label="test", owner=lambda row: row.pk).in_threads(rows) == 43
    assert waited == [True]


def test_where_no_thread_gets_free_the_rows_wait_for_their_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "SLOT_SECONDS", 0.05)
    taken = threads.reserve(threads.WORKERS)
    try:
        done: list[User] = []
        assert Rows(done.append, label="test", owner=lambda row: row.pk).in_threads([User(pk=1), User(pk=2)]) == 0
        assert done == []
    finally:
        threads.release(taken)
