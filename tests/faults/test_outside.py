"""Every fault of the outside world against running processes, and webhooks as nobody would wish for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests
from django.utils import timezone

from dev.sandbox.faults import KINDS
from dev.testing.live import until
from payments.models import GatewayEvent, Payment
from payments.services import check_due, initiate, settle
from tests.faults.conftest import IMPATIENT
from verifications.models import Verification
from wallet.models import Transaction

if TYPE_CHECKING:
    from tests.faults.conftest import Drill

pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

FAULTS = (*KINDS, "slow:2")
SELL = "POST /textverified/api/pub/v2/verifications$"
TELL = "GET /textverified/api/pub/v2/verifications/"


def finish(drill: Drill, left: Callable[[], bool], what: str) -> None:
    """By the live worker alone, with a beat that sends what the schedule says."""
    drill.stack.start_beat()
    try:
        until(lambda: not left(), what, seconds=60)
    finally:
        drill.stack.stop_beat()
    drill.stack.settle()


def test_each_fault_while_ordering_and_polling_ends_with_a_code(drill: Drill) -> None:
    drill.start(drill.stack.web, **IMPATIENT)
    drill.start(drill.stack.worker, **IMPATIENT)
    for fault in FAULTS:
        drill.sandbox.fault(SELL, fault)
        answer = drill.buy("test_success", key=fault)
        assert answer is not None
        assert answer.status_code in (201, 503), (fault, answer.text)
    for fault in FAULTS:
        drill.sandbox.fault(TELL, fault)
    finish(drill, Verification.objects.filter(status__in=["requested", "waiting"]).exists, "nothing is open")
    ends = {row.idempotency_key: row.status for row in Verification.objects.all()}
    assert ends == {fault: "failed" if fault == "throttle_429" else "completed" for fault in FAULTS}
    drill.settles(16)


def test_each_fault_while_cancelling_ends_with_the_money_back(drill: Drill) -> None:
    rows = [drill.bought() for _ in FAULTS]
    drill.start(drill.stack.web, **IMPATIENT)
    drill.start(drill.stack.worker, **IMPATIENT)
    for fault, row in zip(FAULTS, rows, strict=True):
        drill.sandbox.fault("POST .*/cancel$", fault)
        answer = drill.post(f"/api/v1/verify/{row.pk}/cancel")
        assert answer is not None
        assert answer.status_code in (200, 202), (fault, answer.text)
    finish(drill, Verification.objects.filter(status="waiting").exists, "all are cancelled")
    drill.settles(16)
    assert (drill.available(), {row.status for row in Verification.objects.all()}) == (10_00, {"cancelled"})


def test_each_fault_of_the_gateway_ends_with_what_was_paid(drill: Drill) -> None:
    drill.start(drill.stack.web, **IMPATIENT)
    for fault in FAULTS:
        drill.sandbox.fault("POST /stripe/v1/checkout/sessions$", fault, times=2)
        first = drill.post("/api/payments/initialize", {"amount": "5.00"}, **{"Idempotency-Key": fault})
        again = drill.post("/api/payments/initialize", {"amount": "5.00"}, **{"Idempotency-Key": fault})
        assert first is not None
        assert again is not None
        assert (first.status_code in (200, 201, 503), again.status_code in (200, 201, 503)) == (True, True), fault
    drill.catch_up(700)  # the regular check opens what is not open yet
    drill.sandbox.settings(webhook_enabled=True)
    for payment in Payment.objects.all():
        drill.sandbox.fault("GET /stripe/v1/checkout/sessions/", FAULTS[payment.pk % len(FAULTS)])
        drill.sandbox.pay(payment.reference)
    drill.sandbox.webhooks(settle=20)
    drill.settles(91, 3600)
    assert drill.available() == 10_00 + 5_00 * len(FAULTS)


def test_pushed_codes_doubled_late_and_unsigned(drill: Drill) -> None:
    drill.start(drill.stack.web)
    doubled, late, forged = drill.bought(), drill.bought("test_timeout"), drill.bought()
    drill.sandbox.settings(webhook_enabled=True)
    drill.sandbox.sms(doubled.phone_number, "Your code is 111111", duplicate=True)
    drill.sandbox.webhooks(settle=10)

    drill.sandbox.settings(webhook_enabled=False)
    drill.sandbox.sms(late.phone_number, "Your code is 222222")
    drill.sandbox.sms(forged.phone_number, "Your code is 333333")
    kept = {
        body["data"]["reservationId"]: hook
        for hook in drill.sandbox.webhooks()
        if (body := json.loads(hook["body"])) and hook["vendor"] == "textverified"
    }
    forgery = kept[forged.provider_id]
    assert push(drill, "textverified", forgery["body"], {}) == 401
    assert push(drill, "textverified", forgery["body"].replace("333333", "444444"), forgery["headers"]) == 401
    assert list(Verification.objects.get(pk=forged.pk).messages.all()) == []

    answer = drill.post(f"/api/v1/verify/{doubled.pk}/cancel")
    assert answer is not None
    assert answer.status_code == 409
    Verification.objects.filter(pk=late.pk).update(expires_at=timezone.now())
    drill.settles(21)
    before = drill.available()
    for hook in (kept[late.provider_id], forgery):
        assert push(drill, "textverified", hook["body"], hook["headers"]) == 200
        assert push(drill, "textverified", hook["body"], hook["headers"]) == 200
    drill.settles(1)
    rows = Verification.objects.in_bulk()
    assert [len(rows[row.pk].messages.all()) for row in (doubled, late, forged)] == [1, 1, 1]
    assert drill.available() == before


def test_a_push_after_the_refund_brings_no_code_and_takes_no_money(drill: Drill) -> None:
    drill.start(drill.stack.web)
    row = drill.bought()
    drill.sandbox.sms(row.phone_number, "Your code is 222222", delay=5)
    answer = drill.post(f"/api/v1/verify/{row.pk}/cancel")
    assert answer is not None
    assert answer.status_code == 200
    body = json.dumps(
        {
            "attempt": 1,
            "occurredAt": timezone.now().isoformat(),
            "event": "v2.sms.received",
            "id": "evt_late",
            "idempotencyKey": "late",
            "data": {
                "from": "22395",
                "to": row.phone_number.removeprefix("+1"),
                "createdAt": timezone.now().isoformat(),
                "smsContent": "Your code is 222222",
                "parsedCode": "222222",
                "encrypted": False,
                "reservationId": row.provider_id,
            },
        }
    )
    assert push(drill, "textverified", body, signature(body)) == 200
    drill.settles(5)
    row.refresh_from_db()
    assert (row.status, row.messages.count(), drill.available()) == ("cancelled", 0, 10_00)


def test_payment_events_doubled_late_out_of_order_and_unsigned(drill: Drill) -> None:
    drill.start(drill.stack.web)
    payment = initiate(user=drill.user, amount=20_00, now=timezone.now()).payment
    failed_first = initiate(user=drill.user, amount=5_00, now=timezone.now()).payment
    drill.sandbox.pay(failed_first.reference, outcome="failed")
    drill.sandbox.pay(failed_first.reference)
    drill.sandbox.pay(payment.reference, duplicate=True)
    hooks = drill.sandbox.webhooks()
    assert push(drill, "stripe", hooks[-1]["body"], {}) == 400
    assert push(drill, "stripe", hooks[-1]["body"].replace("2000", "9000"), hooks[-1]["headers"]) == 400
    assert GatewayEvent.objects.count() == 0

    settle(payment=payment, now=timezone.now())  # the customer's return is quicker than any event
    for hook in [*reversed(hooks), *hooks]:
        assert push(drill, "stripe", hook["body"], hook["headers"]) == 200
    assert check_due(now=timezone.now()) == 0
    drill.settles(91)
    credited = Transaction.objects.filter(type="credit").order_by("amount").values_list("amount", flat=True)
    assert (list(credited), drill.available()) == ([5_00, 20_00], 35_00)


def push(drill: Drill, vendor: str, body: str, headers: dict[str, str]) -> int:
    """The status that the live web process answers."""
    headers = {"Content-Type": "application/json", **headers}
    return requests.post(
        f"{drill.stack.url}/webhooks/{vendor}", data=body.encode(), headers=headers, timeout=20
    ).status_code


def signature(body: str) -> dict[str, Any]:
    from django.conf import settings

    from dev.sandbox.webhooks import textverified_signature

    return textverified_signature(settings.TEXTVERIFIED_WEBHOOK_SECRET, body.encode())
