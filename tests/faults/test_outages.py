"""Redis hangs, PostgreSQL drops its connections: customers get answers, and what was begun is finished."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests
from django.db import connection
from django.utils import timezone

from dev.testing.live import until
from payments.services import initiate
from verifications.models import Verification

if TYPE_CHECKING:
    from tests.faults.conftest import Drill

pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SOLD = "POST /textverified/api/pub/v2/verifications"
SELLS = f"{SOLD}$"
TELLS = "GET /textverified/api/pub/v2/verifications/"


def test_the_whole_journey_goes_on_while_redis_hangs(
    drill: Drill, without_redis: Callable[..., AbstractContextManager[None]]
) -> None:
    drill.start(drill.stack.web)
    drill.start(drill.stack.worker)
    drill.sandbox.settings(webhook_enabled=True)
    with without_redis(seconds=10):
        began = time.monotonic()
        first = answered(drill.buy("test_success", "first"), 201)
        second = answered(drill.buy("test_pending", "second"), 201)
        answered(drill.post(f"/api/v1/verify/{second['id']}/cancel"), 200)
        payment = answered(drill.post("/api/payments/initialize", {"amount": "20.00"}), 201)
        drill.sandbox.pay(payment["reference"])
        answered(drill.post(f"/api/payments/{payment['reference']}/verify"), 200)
        assert time.monotonic() - began < 10, "Redis may cost a pause, not the customer's patience"
    drill.stack.start_beat()
    try:
        done = Verification.objects.filter(pk=first["id"], status="completed")
        until(done.exists, "a worker that lost Redis for a while polls again", seconds=60)
    finally:
        drill.stack.stop_beat()
    drill.stack.settle()
    drill.settles()
    assert drill.available() == 29_50


def test_connections_cut_in_the_middle_of_a_purchase(drill: Drill) -> None:
    """The answer of the provider finds no database: the key or recovery adopts what was sold."""
    drill.start(drill.stack.web)
    drill.sandbox.fault(SELLS, "slow:1")
    with in_background(drill.buy) as answers:
        until(lambda: SOLD in drill.sandbox.requests(), "the order is at the provider")
        cut_connections()
    (answer,) = answers
    assert answer.status_code in (201, 503), answer.text
    drill.settles(16)
    row = Verification.objects.get()
    assert (row.status, row.charged, drill.available()) == ("waiting", True, 9_50)
    again = drill.buy()
    assert again is not None
    assert (again.status_code, again.json()["id"]) == (200, str(row.pk))


def test_connections_cut_between_two_calls_are_not_noticed(drill: Drill) -> None:
    drill.start(drill.stack.web)
    answered(drill.buy("test_pending", "first"), 201)
    cut_connections()
    for number in range(3):
        answered(drill.buy("test_pending", f"after {number}"), 201)
    drill.settles(5)
    assert drill.available() == 8_00


def test_connections_cut_in_the_middle_of_a_poll(drill: Drill) -> None:
    drill.start(drill.stack.worker)
    row = drill.bought()
    drill.sandbox.sms(row.phone_number, "Your code is 987654")
    Verification.objects.update(next_poll_at=timezone.now())
    asked = len(asks(drill, TELLS))
    drill.sandbox.fault(TELLS, "slow:1")
    drill.send("verifications.tasks.poll")
    until(lambda: len(asks(drill, TELLS)) > asked, "the provider is asked")
    cut_connections()
    drill.stack.settle()
    Verification.objects.filter(status="waiting").update(next_poll_at=timezone.now() - timedelta(seconds=1))
    drill.send("verifications.tasks.poll")
    until(Verification.objects.filter(status="completed").exists, "the same worker goes on", seconds=60)
    drill.settles(5)
    assert drill.available() == 9_50


def test_connections_cut_in_the_middle_of_a_webhook(drill: Drill) -> None:
    drill.start(drill.stack.web)
    payment = initiate(user=drill.user, amount=20_00, now=drill.now).payment
    drill.sandbox.fault("GET /stripe/v1/checkout/sessions/", "slow:1")
    drill.sandbox.settings(webhook_enabled=True)
    drill.sandbox.pay(payment.reference)
    until(lambda: asks(drill, "GET /stripe/"), "the event is being applied")
    cut_connections()
    (hook,) = drill.sandbox.webhooks(settle=15)
    assert hook["attempts"][-1] == 200
    drill.settles(91)
    assert drill.available() == 30_00


def answered(answer: requests.Response | None, status: int) -> dict[str, Any]:
    assert answer is not None
    assert answer.status_code == status, answer.text
    return answer.json()


def asks(drill: Drill, start: str) -> list[str]:
    return [line for line in drill.sandbox.requests() if line.startswith(start)]


@contextmanager
def in_background(call: Callable[[], Any]) -> Iterator[list[Any]]:
    """The answer is in the list once the block has ended."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    try:
        yield answers
    finally:
        thread.join(60)


def cut_connections() -> None:
    """As a restart of the server or of a proxy before it does; the test's own connection stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchall(), "there was no connection to cut"
