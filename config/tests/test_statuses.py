"""What a status shows: each has a row in the table, and the steps follow it."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.template import Context, Template

from config.templatetags.statuses import SHOWN, progress_steps
from payments.models import Payment, PaymentStatus
from refunds.models import RefundStatus
from verifications.models import OPEN, Status


@pytest.mark.parametrize(
    ("model", "statuses"), [("verification", Status), ("payment", PaymentStatus), ("refund", RefundStatus)]
)
def test_every_status_has_a_row_in_the_table(model: str, statuses: Any) -> None:
    assert {status.value for status in statuses} <= SHOWN[model].keys()


def test_a_pill_has_the_label_and_the_colour_of_its_row() -> None:
    payment = Payment(status="initiated", mismatch={"paid_amount": "5.00", "paid_currency": "USD"})

    pill = Template("{% load statuses %}{% status_pill payment %}").render(Context({"payment": payment}))

    assert pill == '<span\n  class="pill pill-warn"\n  data-status="initiated">Under review</span>'


def test_a_note_escapes_what_the_gateway_said() -> None:
    payment = Payment(status="failed", amount=2_000, failure_reason="<b>Declined</b>.")

    note = Template("{% load statuses %}{% status_note payment %}").render(Context({"payment": payment}))

    assert "<p>&lt;b&gt;Declined&lt;/b&gt;. Nothing was charged.</p>" in note


@pytest.mark.parametrize(
    ("status", "phone", "cancelling", "charged", "steps"),
    [
        ("requested", "", False, False, "Getting a number, Waiting for the code, Your code"),
        ("requested", "", True, False, "Cancelling, No message, Not charged"),
        ("waiting", "7155550100", False, True, "Number ready, Waiting for the code, Your code"),
        ("waiting", "7155550100", True, True, "Number ready, Returning the number, Refund"),
        ("completed", "7155550100", False, True, "Number ready, Message received, Your code"),
        ("timed_out", "7155550100", False, True, "Number ready, No message, Refunded"),
        ("failed", "", False, False, "No number, No message, Not charged"),
    ],
)
def test_the_steps_of_a_verification(status: str, phone: str, cancelling: bool, charged: bool, steps: str) -> None:
    verification = SimpleNamespace(
        status=status, phone_number=phone, is_cancelling=cancelling, is_open=status in OPEN, charged=charged
    )

    assert ", ".join(str(step.label) for step in progress_steps(verification)) == steps
