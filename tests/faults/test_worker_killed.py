"""The worker dies between each two steps of its jobs; the next one goes on, and nothing happens twice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from payments.models import GatewayEvent, Payment
from payments.services import initiate
from verifications import services
from verifications.models import Verification

if TYPE_CHECKING:
    from tests.faults.conftest import Drill

pytestmark = [pytest.mark.drill, pytest.mark.side_by_side, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def due(**fields: Any) -> None:
    """The worker goes by the real time: what it is to do is due now."""
    Verification.objects.update(**fields)


def kill_at(drill: Drill, point: str, job: str) -> None:
    drill.start(drill.stack.worker, FAULT_POINT=point)
    drill.send(job)
    drill.assert_killed(drill.stack.worker)


@pytest.mark.parametrize("point", ["poll.claimed", "poll.answered", "end.completing", "end.completed"])
def test_killed_while_polling_a_code(drill: Drill, point: str) -> None:
    row = drill.bought()
    drill.sandbox.sms(row.phone_number, "Your code is 987654")
    due(next_poll_at=timezone.now())
    kill_at(drill, point, "verifications.tasks.poll")

    drill.settles(5)
    row.refresh_from_db()
    assert (row.status, [message.code for message in row.messages.all()]) == ("completed", ["987654"])
    assert drill.available() == 9_50


@pytest.mark.parametrize("point", ["refund.posted", "end.ended"])
def test_killed_while_polling_a_number_that_ended_there(drill: Drill, point: str) -> None:
    row = drill.bought("test_timeout")
    drill.sandbox.advance(21)
    due(next_poll_at=timezone.now())
    kill_at(drill, point, "verifications.tasks.poll")

    drill.settles(20)
    row.refresh_from_db()
    assert (row.status, row.settlement, drill.available()) == ("timed_out", "returned", 10_00)
    assert [number["state"] for number in drill.sandbox.ledger()["numbers"]] == ["verificationReported"]


@pytest.mark.parametrize(
    "point",
    ["expire.claimed", "expire.fetched", "expire.cancelled", "refund.made", "end.ending"],
)
def test_killed_while_expiring(drill: Drill, point: str) -> None:
    row = drill.bought()
    due(next_poll_at=timezone.now(), expires_at=timezone.now() - timedelta(seconds=11))
    kill_at(drill, point, "verifications.tasks.expire")

    drill.settles(16, 16)
    row.refresh_from_db()
    assert (row.status, row.settlement, drill.available()) == ("timed_out", "returned", 10_00)
    assert [number["state"] for number in drill.sandbox.ledger()["numbers"]] == ["verificationCanceled"]


@pytest.mark.parametrize("point", ["recover.claimed", "recover.answered", "sale.charging", "sale.charged"])
def test_killed_while_recovering_a_purchase(drill: Drill, point: str) -> None:
    drill.sandbox.fault("POST /textverified/api/pub/v2/verifications$", "drop_after")
    row = drill.bought()
    assert row.status == "requested"
    assert len(drill.sandbox.ledger()["numbers"]) == 1
    due(next_recovery_at=timezone.now())
    kill_at(drill, point, "verifications.tasks.recover")

    drill.settles(16)
    row.refresh_from_db()
    assert (row.status, row.charged, drill.available()) == ("waiting", True, 9_50)


def test_killed_while_recovering_a_cancel(drill: Drill) -> None:
    row = drill.bought()
    drill.sandbox.fault("POST .*/cancel$", "drop_before")
    assert services.cancel(user=drill.user, verification_id=row.pk).pending
    due(next_recovery_at=timezone.now())
    kill_at(drill, "cancel.answered", "verifications.tasks.recover")

    drill.settles(16, 16)
    row.refresh_from_db()
    assert (row.status, drill.available()) == ("cancelled", 10_00)


def test_killed_while_our_own_money_is_asked_back(drill: Drill) -> None:
    row = drill.bought("test_timeout")
    drill.sandbox.fault("POST .*/report$", "drop_before")
    drill.catch_up(21)
    row.refresh_from_db()
    assert (row.status, row.settlement) == ("timed_out", "unsettled")
    due(next_recovery_at=timezone.now())
    kill_at(drill, "end.returned", "verifications.tasks.recover")

    drill.settles(16)
    row.refresh_from_db()
    assert (row.settlement, drill.available()) == ("returned", 10_00)


@pytest.mark.parametrize("point", ["check.claimed", "check.answered", "topup.crediting", "topup.credited"])
def test_killed_while_a_paid_top_up_is_found(drill: Drill, point: str) -> None:
    payment = initiate(user=drill.user, amount=20_00, now=drill.now).payment
    drill.sandbox.pay(payment.reference)
    Payment.objects.update(next_check_at=timezone.now())
    kill_at(drill, point, "payments.tasks.check_payments")

    drill.settles(120)
    assert drill.available() == 30_00


def test_killed_while_an_unpaid_top_up_is_closed(drill: Drill) -> None:
    initiate(user=drill.user, amount=20_00, now=drill.now)
    Payment.objects.update(next_check_at=timezone.now(), expires_at=timezone.now())
    kill_at(drill, "check.closed", "payments.tasks.check_payments")

    drill.settles(120)
    assert (Payment.objects.get().status, drill.available()) == ("expired", 10_00)


def test_killed_while_a_kept_event_is_tried_again(drill: Drill) -> None:
    payment = initiate(user=drill.user, amount=20_00, now=drill.now).payment
    drill.sandbox.pay(payment.reference)
    (hook,) = drill.sandbox.webhooks()
    drill.sandbox.fault("GET /stripe/v1/checkout/sessions/", "error_500")
    answer = Client().post(
        "/webhooks/stripe", data=hook["body"], content_type="application/json", headers=hook["headers"]
    )
    assert (answer.status_code, GatewayEvent.objects.get().outcome) == (200, "")
    GatewayEvent.objects.update(next_attempt_at=timezone.now())
    kill_at(drill, "event.applied", "payments.tasks.retry_gateway_events")

    drill.settles(91)
    assert (GatewayEvent.objects.get().outcome, drill.available()) == ("applied", 30_00)


def test_a_job_that_comes_back_after_its_worker_was_killed_changes_nothing_more(drill: Drill) -> None:
    """The broker delivers again what nobody acknowledged: here at once, by the same worker started again."""
    row = drill.bought()
    drill.sandbox.sms(row.phone_number, "Your code is 987654")
    due(next_poll_at=timezone.now())
    kill_at(drill, "end.completed", "verifications.tasks.poll")
    drill.start(drill.stack.worker)
    drill.send("verifications.tasks.poll")
    drill.stack.settle()
    drill.settles()
    assert Verification.objects.get().status == "completed"
