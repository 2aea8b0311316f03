"""The web process dies between each two steps of what a customer asks for; recovery, or the same key, goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rest_framework.test import APIClient

from payments.models import GatewayEvent, Payment
from payments.services import initiate
from verifications.models import Verification

if TYPE_CHECKING:
    from tests.faults.conftest import Drill

pytestmark = [pytest.mark.drill, pytest.mark.side_by_side, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def again(drill: Drill, path: str, body: dict[str, str], **headers: str) -> tuple[int, dict[str, str]]:
    """The customer's program asks once more, of another web process."""
    client = APIClient(HTTP_AUTHORIZATION=drill.headers["Authorization"])
    answer = client.post(path, body, headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("point", ["buy.reserved", "buy.answered", "sale.charging", "sale.charged"])
def test_killed_while_buying(drill: Drill, point: str) -> None:
    drill.start(drill.stack.web, FAULT_POINT=point)
    assert drill.buy() is None
    drill.assert_killed(drill.stack.web)

    drill.settles(16)
    row = Verification.objects.get()
    assert (row.status, row.charged, drill.available()) == ("waiting", True, 9_50)
    status, body = again(drill, "/api/v1/verify/create", {"service_name": "test_pending", "idempotency_key": "drill"})
    assert (status, body["id"], body["phone_number"]) == (200, str(row.pk), row.phone_number)
    assert len(drill.sandbox.ledger()["numbers"]) == 1


@pytest.mark.parametrize("point", ["buy.answered", "sale.failing"])
def test_killed_while_a_refusal_is_written(drill: Drill, point: str) -> None:
    drill.start(drill.stack.web, FAULT_POINT=point)
    assert drill.buy("test_no_numbers") is None
    drill.assert_killed(drill.stack.web)

    drill.settles(16)
    row = Verification.objects.get()
    assert (row.status, row.charged, drill.available()) == ("failed", False, 10_00)


@pytest.mark.parametrize(
    "point", ["cancel.claimed", "cancel.answered", "refund.posted", "refund.made", "end.ending", "end.ended"]
)
def test_killed_while_cancelling(drill: Drill, point: str) -> None:
    row = drill.bought()
    drill.start(drill.stack.web, FAULT_POINT=point)
    assert drill.post(f"/api/v1/verify/{row.pk}/cancel") is None
    drill.assert_killed(drill.stack.web)

    drill.settles(16)
    row.refresh_from_db()
    assert (row.status, drill.available()) == ("cancelled", 10_00)
    assert again(drill, f"/api/v1/verify/{row.pk}/cancel", {}) == (
        200,
        {"status": "cancelled", "refund_amount": "0.50", "new_balance": "10.00"},
    )


@pytest.mark.parametrize("point", ["message.verified", "end.completing", "end.completed"])
def test_killed_while_a_code_is_pushed(drill: Drill, point: str) -> None:
    row = drill.bought()
    drill.start(drill.stack.web, FAULT_POINT=point)
    drill.sandbox.settings(webhook_enabled=True)
    drill.sandbox.sms(row.phone_number, "Your code is 987654")
    drill.assert_killed(drill.stack.web)

    drill.settles(5)
    row.refresh_from_db()
    assert (row.status, [message.code for message in row.messages.all()]) == ("completed", ["987654"])
    assert drill.available() == 9_50


@pytest.mark.parametrize("point", ["topup.created", "topup.opened", "topup.saved"])
def test_killed_while_a_top_up_begins(drill: Drill, point: str) -> None:
    drill.start(drill.stack.web, FAULT_POINT=point)
    assert drill.post("/api/payments/initialize", {"amount": "20.00"}, **{"Idempotency-Key": "drill"}) is None
    drill.assert_killed(drill.stack.web)

    status, body = again(drill, "/api/payments/initialize", {"amount": "20.00"}, **{"Idempotency-Key": "drill"})
    assert (status, body["status"], Payment.objects.count()) == (200, "initiated", 1)
    drill.sandbox.pay(body["reference"])
    drill.settles(700)
    assert drill.available() == 30_00


@pytest.mark.parametrize("point", ["topup.created", "topup.opened"])
def test_a_top_up_that_nobody_asks_for_again_ends_by_itself(drill: Drill, point: str) -> None:
    drill.start(drill.stack.web, FAULT_POINT=point)
    assert drill.post("/api/payments/initialize", {"amount": "20.00"}) is None
    drill.assert_killed(drill.stack.web)

    drill.settles(120, 7200)
    assert (Payment.objects.get().status, drill.available()) == ("expired", 10_00)


@pytest.mark.parametrize("point", ["event.stored", "topup.crediting", "topup.credited", "event.applied"])
def test_killed_while_a_payment_is_pushed(drill: Drill, point: str) -> None:
    payment = initiate(user=drill.user, amount=20_00, now=drill.now).payment
    drill.start(drill.stack.web, FAULT_POINT=point)
    drill.sandbox.settings(webhook_enabled=True)
    drill.sandbox.pay(payment.reference)
    drill.assert_killed(drill.stack.web)

    drill.settles(91)
    assert drill.available() == 30_00
    assert list(GatewayEvent.objects.values_list("outcome", flat=True)) == ["applied"]


@pytest.mark.parametrize("point", ["settle.answered", "topup.crediting", "topup.credited"])
def test_killed_while_a_payment_is_verified(drill: Drill, point: str) -> None:
    payment = initiate(user=drill.user, amount=20_00, now=drill.now).payment
    drill.sandbox.pay(payment.reference)
    drill.start(drill.stack.web, FAULT_POINT=point)
    assert drill.post(f"/api/payments/{payment.reference}/verify") is None
    drill.assert_killed(drill.stack.web)

    status, body = again(drill, f"/api/payments/{payment.reference}/verify", {})
    assert (status, body["status"]) == (200, "completed")
    drill.settles(700)
    assert drill.available() == 30_00


def test_the_same_process_started_again_takes_the_push_that_killed_it(drill: Drill) -> None:
    row = drill.bought()
    drill.start(drill.stack.web, FAULT_POINT="end.completing")
    drill.sandbox.settings(webhook_enabled=True)
    drill.sandbox.sms(row.phone_number, "Your code is 987654")
    drill.assert_killed(drill.stack.web)
    drill.stack.web.start()
    (push,) = drill.sandbox.webhooks(settle=15)
    assert push["attempts"][-1] == 200
    drill.settles()
    row.refresh_from_db()
    assert (row.status, drill.available()) == ("completed", 9_50)
