"""What makes staff look: the rules that raise alerts."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts import signals as accounts_signals
from accounts.models import User
from accounts.tests.factories import make_user
from activity.models import Alert
from activity.tests.factories import events_of, make_payment, make_verification, move
from dev.testing.signals import send
from payments import signals as payments_signals
from payments.models import GatewayEvent, Payment
from payments.tests.factories import make_event
from verifications import signals as verifications_signals
from verifications.models import Verification
from wallet.models import TransactionType
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


def alerts() -> list[tuple[str, str, str]]:
    return list(Alert.objects.order_by("pk").values_list("rule", "cause", "severity"))


def test_a_purchase_over_the_threshold_alerts_staff(settings: Any) -> None:
    settings.LARGE_DEDUCTION_CENTS = 5_000
    user = make_user()
    funded(user, 20_000)

    move(user, -5_000, TransactionType.SMS_PURCHASE, reference="verification:1:capture")
    move(user, -5_001, TransactionType.SMS_PURCHASE, reference="verification:2:capture")

    assert alerts() == [("large_deduction", "verification:2:capture", "warning")]


def test_more_than_ten_transactions_in_five_minutes_alert_staff_once() -> None:
    user = make_user()
    moment = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    for number in range(1, 11):
        move(user, 100, TransactionType.BONUS, reference=f"test:{number}", now=moment)
    assert alerts() == []

    for number in range(11, 14):
        move(user, 100, TransactionType.BONUS, reference=f"test:{number}", now=moment)
    assert [rule for rule, _, _ in alerts()] == ["rapid_transactions"]


def test_eleven_transactions_spread_over_more_than_five_minutes_alert_nobody() -> None:
    user = make_user()

    for number in range(11):
        now = datetime(2026, 11, 21, 12, number, tzinfo=UTC)
        move(user, 100, TransactionType.BONUS, reference=f"test:{number}", now=now)

    assert alerts() == []


def test_repeated_failed_sign_ins_alert_staff_once(settings: Any) -> None:
    settings.FAILED_SIGNINS = 3
    user = make_user()

    for _ in range(5):
        send(accounts_signals.sign_in_failed, sender=User, user=user, ip_address="203.0.113.9", user_agent="")

    assert events_of(user) == ["signin_failed"] * 5
    assert [rule for rule, _, _ in alerts()] == ["repeated_failed_signins"]


def test_each_worry_about_provider_and_gateway_alerts_once() -> None:
    user = make_user()
    verification = make_verification(user)
    payment = make_payment(make_user(), mismatch={"paid_amount": "1.00", "paid_currency": "USD"})

    event = make_event()

    for _ in range(2):
        send(payments_signals.payment_mismatched, sender=Payment, payment=payment, details=payment.mismatch)
        send(payments_signals.gateway_event_given_up, sender=GatewayEvent, event=event, now=event.received_at)
        send(
            verifications_signals.provider_orphan_found,
            sender=Verification,
            provider="textverified",
            provider_id="lr_1",
            details={"cost": "0.25"},
        )
        send(verifications_signals.provider_loss_booked, sender=Verification, verification=verification)
        send(
            verifications_signals.provider_balance_low,
            sender=Verification,
            provider="textverified",
            balance=Decimal("9.10"),
            threshold=Decimal("10.00"),
        )

    assert [rule for rule, _, _ in alerts()] == [
        "gateway_mismatch",
        "gateway_event_given_up",
        "provider_orphan",
        "provider_loss",
        "provider_float_low",
    ]
    assert events_of(user) == []
