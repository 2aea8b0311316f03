"""What a transaction collects: written once before the commit, sent once after it, and nothing of what rolled back."""

from contextlib import nullcontext, suppress
from typing import Any

import pytest
from django.db import connection, transaction

from config.lib.unit_of_work import NotInUnitOfWork, after_commit, before_commit, unit_of_work

pytestmark = pytest.mark.django_db(transaction=True)

calls: list[tuple[str, bool, list[Any]]] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def write(items: list[Any]) -> None:
    calls.append(("write", connection.in_atomic_block, items))


def deliver(items: list[Any]) -> None:
    calls.append(("deliver", connection.in_atomic_block, items))


def send(items: list[Any]) -> None:
    calls.append(("send", connection.in_atomic_block, items))


def test_items_are_written_once_before_the_commit_and_sent_once_after_it() -> None:
    with unit_of_work():
        before_commit(write, 1)
        after_commit(send, "a")
        before_commit(deliver, "x")
        before_commit(write, 2)
        after_commit(send, "b")
        assert calls == []

    assert calls == [("write", True, [1, 2]), ("deliver", True, ["x"]), ("send", False, ["a", "b"])]


def test_an_inner_unit_joins_the_outer_one() -> None:
    @unit_of_work()
    def inner() -> None:
        before_commit(write, 2)
        after_commit(send, "b")

    with unit_of_work():
        before_commit(write, 1)
        inner()
        assert calls == []
        before_commit(write, 3)

    assert calls == [("write", True, [1, 2, 3]), ("send", False, ["b"])]


def test_an_inner_unit_that_fails_takes_its_own_items_along() -> None:
    with unit_of_work():
        before_commit(write, 1)
        with suppress(ZeroDivisionError), unit_of_work():
            before_commit(write, 2)
            after_commit(send, "b")
            with unit_of_work():
                before_commit(write, 3)
            raise ZeroDivisionError
        before_commit(write, 4)

    assert calls == [("write", True, [1, 4])]


def test_an_inner_unit_that_is_told_to_roll_back_takes_its_own_items_along() -> None:
    with unit_of_work():
        after_commit(send, "a")
        with unit_of_work():
            before_commit(write, 2)
            after_commit(send, "b")
            transaction.set_rollback(True)

    assert calls == [("send", False, ["a"])]


def test_nothing_is_written_or_sent_of_a_unit_that_rolls_back() -> None:
    with suppress(ZeroDivisionError), unit_of_work():
        before_commit(write, 1)
        raise ZeroDivisionError
    with unit_of_work():
        before_commit(write, 2)
        after_commit(send, "b")
        transaction.set_rollback(True)

    assert calls == []
    with unit_of_work():
        pass
    assert calls == []


def test_what_fails_before_the_commit_rolls_back_and_sends_nothing() -> None:
    def fail(_items: list[Any]) -> None:
        raise ZeroDivisionError

    with suppress(ZeroDivisionError), unit_of_work():
        after_commit(send, "a")
        before_commit(fail, 1)

    assert calls == []


def test_what_fails_after_the_commit_stops_nothing_else() -> None:
    def fail(_items: list[Any]) -> None:
        raise ZeroDivisionError

    with unit_of_work():
        after_commit(fail, 1)
        after_commit(send, "a")

    assert calls == [("send", False, ["a"])]


def test_a_handler_may_collect_more() -> None:
    def write_and_more(items: list[Any]) -> None:
        write(items)
        before_commit(deliver, len(items))
        after_commit(send, len(items))
        if items == [1]:
            before_commit(write_and_more, 2)

    with unit_of_work():
        before_commit(write_and_more, 1)

    assert calls == [
        ("write", True, [1]),
        ("deliver", True, [1]),
        ("write", True, [2]),
        ("deliver", True, [1]),
        ("send", False, [1, 1]),
    ]


def test_units_of_two_threads_know_nothing_of_each_other(in_threads: Any) -> None:
    def work() -> None:
        with unit_of_work():
            before_commit(write, 1)
            before_commit(write, 2)

    with unit_of_work():
        before_commit(write, 0)
        in_threads(work, times=2)

    assert [items for _, _, items in calls] == [[1, 2], [1, 2], [0]]


def test_one_unit_after_the_other_begins_empty() -> None:
    for number in range(2):
        with unit_of_work():
            before_commit(write, number)

    assert [items for _, _, items in calls] == [[0], [1]]


@pytest.mark.parametrize("block", [transaction.atomic, nullcontext])
def test_recording_outside_a_unit_raises(block: Any) -> None:
    with block(), pytest.raises(NotInUnitOfWork):
        before_commit(write, 1)

    assert calls == []


def test_without_a_unit_each_item_is_sent_alone_after_its_commit() -> None:
    with transaction.atomic():
        after_commit(send, "a")
        after_commit(send, "b")
        assert calls == []
    after_commit(send, "c")

    assert calls == [("send", False, ["a"]), ("send", False, ["b"]), ("send", False, ["c"])]


def test_inside_a_plain_transaction_a_unit_writes_at_its_own_end_and_sends_after_the_commit() -> None:
    with transaction.atomic():
        with unit_of_work():
            before_commit(write, 1)
            after_commit(send, "a")
        assert calls == [("write", True, [1])]

    assert calls == [("write", True, [1]), ("send", False, ["a"])]


def test_a_durable_unit_is_not_nested() -> None:
    with unit_of_work(), pytest.raises(RuntimeError, match="durable"), unit_of_work(durable=True):
        pass
