"""A vendor that hangs takes no more of a process than its places, and no database connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from prometheus_client import REGISTRY

from config.lib.remote.bulkhead import Bulkhead, Full, StillRunning, bulkhead
from config.lib.remote.connections import release_connections
from dev.testing.live import until


class Hanging:
    """A call that answers when it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.begun = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.begun += 1
        assert self.let_go.wait(30)
        return "answered"


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    call = Hanging()
    yield call
    call.let_go.set()


def fill(calls: Bulkhead, hanging: Hanging, times: int, subject: str = "") -> None:
    for _ in range(times):
        with pytest.raises(StillRunning):
            calls.run(hanging, patience=0, subject=subject)


def test_a_call_answers_or_raises_as_it_does_alone():
    calls = Bulkhead("vendor", "purchase", size=1)
    assert calls.run(lambda: 42, patience=5) == 42
    with pytest.raises(KeyError):
        calls.run(lambda: {}["no such number"], patience=5)
    with pytest.raises(TimeoutError, match="its own"):
        calls.run(lambda: (_ for _ in ()).throw(TimeoutError("its own")), patience=5)
    assert calls.taken == 0


def test_what_outlasts_the_patience_keeps_its_place_until_it_ends(hanging: Hanging):
    calls = Bulkhead("vendor", "purchase", size=2)
    fill(calls, hanging, 2)
    with pytest.raises(Full):
        calls.run(lambda: 42, patience=5)
    hanging.let_go.set()
    until(lambda: calls.taken == 0, "both have ended")
    assert calls.run(lambda: 42, patience=5) == 42


def test_when_it_is_full_the_call_is_not_made(hanging: Hanging):
    calls = Bulkhead("vendor", "purchase", size=1)
    fill(calls, hanging, 1)
    made: list[int] = []
    for door in (lambda: calls.run(lambda: made.append(1), patience=5), lambda: calls.place().__enter__()):
        with pytest.raises(Full):
            door()
    assert (made, hanging.begun) == ([], 1)


def test_one_sick_service_leaves_a_third_of_the_places_to_the_others(hanging: Hanging):
    calls = Bulkhead("vendor", "purchase", size=6)
    fill(calls, hanging, 4, subject="sick")
    with pytest.raises(Full):
        calls.run(hanging, patience=5, subject="sick")
    assert calls.run(lambda: "sold", patience=5, subject="well") == "sold"
    hanging.let_go.set()
    until(lambda: calls.taken == 0, "all have ended")
    assert calls.run(lambda: "sold", patience=5, subject="sick") == "sold"


def test_a_place_is_given_back_whatever_happens_in_it():
    calls = Bulkhead("vendor", "checkout", size=1)
    for _ in range(3):
        with pytest.raises(KeyError), calls.place():
            raise KeyError
    with calls.place():
        assert calls.taken == 1
    assert calls.taken == 0


def test_who_stands_in_line_gets_the_place_that_becomes_free(hanging: Hanging):
    calls = Bulkhead("vendor", "checkout", size=1)
    fill(calls, hanging, 1)
    threading.Timer(0.05, hanging.let_go.set).start()
    with calls.place(wait=20):
        assert calls.taken == 1


def test_the_line_is_short_and_so_is_the_wait_in_it(hanging: Hanging, in_threads: Any):
    calls = Bulkhead("vendor", "checkout", size=2)
    fill(calls, hanging, 2)

    def stand() -> float:
        began = time.monotonic()
        with pytest.raises(Full), calls.place(wait=0.3):
            pass
        return time.monotonic() - began

    waited = sorted(in_threads(stand, times=6))
    assert [took > 0.29 for took in waited] == [False] * 4 + [True] * 2


def test_each_operation_of_each_vendor_has_its_own():
    assert bulkhead("textverified", "cancel") is bulkhead("textverified", "cancel")
    assert bulkhead("textverified", "cancel") is not bulkhead("textverified", "purchase")
    assert bulkhead("textverified", "cancel").size == 6


def test_what_is_refused_and_what_is_left_behind_are_metrics(hanging: Hanging):
    calls = Bulkhead("counted", "cancel", size=1)
    fill(calls, hanging, 1)
    with pytest.raises(Full):
        calls.run(hanging, patience=5)
    labels = {"vendor": "counted", "operation": "cancel"}
    counted = [REGISTRY.get_sample_value(f"vendor_calls_{name}_total", labels) for name in ("abandoned", "refused")]
    assert counted == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_who_waits_holds_no_connection():
    calls = Bulkhead("vendor", "cancel", size=1)
    connection.ensure_connection()
    held: list[Any] = []
    with calls.place():
        held.append(connection.connection)
    connection.ensure_connection()
    calls.run(lambda: None, patience=5)
    held.append(connection.connection)
    assert held == [None, None]


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_inside_a_transaction():
    with transaction.atomic(), pytest.raises(RuntimeError):
        Bulkhead("vendor", "cancel", size=1).run(lambda: None, patience=5)


@pytest.mark.django_db
def test_the_transaction_of_a_test_is_none():
    release_connections()
    assert connection.connection is not None
    with transaction.atomic(), pytest.raises(RuntimeError):
        release_connections()
