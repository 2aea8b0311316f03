"""What leaves for the sockets after a commit: in order, together, and nothing of what was rolled back."""

from typing import Any

import pytest
from django.db import transaction

from config.lib.unit_of_work import unit_of_work
from notifications.realtime import frames, hints

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, int]]]:
    """What each round trip to Redis took along: (group, seq)."""
    sent: list[list[tuple[str, int]]] = []

    def send(ready: Any) -> None:
        sent.append([(group, frame.version) for group, frame in ready])

    monkeypatch.setattr("notifications.realtime.publish.send", send)
    return sent


def push(number: int, *, user_id: int = 1) -> None:
    hints.push(user_id=user_id, build=lambda: frames.Pong(seq=0, version=number))


def fail() -> None:
    def build() -> frames.Pong:
        raise ValueError("no frame")

    hints.push(user_id=1, build=build)


def test_the_hints_of_a_transaction_leave_together_in_their_order(trips: Any) -> None:
    with unit_of_work():
        push(1)
        transaction.on_commit(lambda: None)
        with unit_of_work():
            push(2, user_id=2)
        push(3)

    assert trips == [[("user.1", 1), ("user.2", 2), ("user.1", 3)]]


def test_nothing_leaves_of_a_savepoint_that_was_rolled_back(trips: Any) -> None:
    with unit_of_work():
        push(1)
        with unit_of_work():
            push(2)
            transaction.set_rollback(True)
        push(3)
        with unit_of_work():
            push(4)
            transaction.set_rollback(True)

    assert [hint for trip in trips for hint in trip] == [("user.1", 1), ("user.1", 3)]


def test_nothing_leaves_of_a_transaction_that_was_rolled_back(trips: Any) -> None:
    with unit_of_work():
        push(1)
        transaction.set_rollback(True)

    assert trips == []


def test_a_hint_that_fails_takes_no_other_along(trips: Any) -> None:
    with unit_of_work():
        push(1)
        fail()
    with unit_of_work():
        push(2)

    assert trips == [[("user.1", 1)], [("user.1", 2)]]


def test_without_a_transaction_a_hint_leaves_at_once(trips: Any) -> None:
    push(1)
    push(2)

    assert trips == [[("user.1", 1)], [("user.1", 2)]]


def test_captured_callbacks_leave_one_by_one(trips: Any, django_capture_on_commit_callbacks: Any) -> None:
    with transaction.atomic():
        with django_capture_on_commit_callbacks(execute=True):
            push(1)
            push(2)
        transaction.set_rollback(True)

    assert trips == [[("user.1", 1)], [("user.1", 2)]]
