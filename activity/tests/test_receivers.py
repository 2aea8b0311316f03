"""Each piece of news becomes its events."""

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import services as accounts
from accounts import signals as accounts_signals
from accounts.models import ApiKey, User
from accounts.tests.factories import make_user
from activity import events
from activity.models import Activity
from activity.tests.factories import events_of, make_payment, make_verification, move
from config.lib.unit_of_work import unit_of_work
from dev.testing.signals import send
from payments import signals as payments_signals
from payments.models import Payment
from verifications import signals as verifications_signals
from verifications.models import Message, Verification
from wallet import services as wallet
from wallet.models import Counterparty, TransactionType
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


def last(user: User) -> Activity:
    return Activity.objects.filter(user=user).latest("pk")


# --- money


@pytest.mark.parametrize("type_", TransactionType.values)
@pytest.mark.parametrize("amount", [100, -100])
def test_a_journal_row_of_any_type_makes_exactly_its_one_event(type_: str, amount: int) -> None:
    user = make_user()
    funded(user, 10_000)
    before = len(events_of(user))

    move(user, amount, type_)

    assert events_of(user)[before:] == [events.OF_TRANSACTION[type_][amount < 0].name]


def test_a_purchase_is_a_deduction_with_its_reason_and_the_balance_after_it() -> None:
    user = make_user()
    funded(user, 2_500)

    row = move(
        user, -250, TransactionType.SMS_PURCHASE, description="WhatsApp number", resource=("verification", "v1"),
        reference="verification:v1:capture",
    )  # fmt: skip

    deducted = last(user)
    assert deducted.event == "credit_deducted"
    assert (deducted.resource_type, deducted.resource_id) == ("verification", "v1")
    assert deducted.created_at == row.created_at
    assert deducted.data == {
        "amount": "2.50",
        "reason": "WhatsApp number",
        "balance": "22.50",
        "transaction": "verification:v1:capture",
    }


def test_an_automatic_refund_is_instant_and_says_why() -> None:
    user = make_user()

    move(
        user, 250, TransactionType.VERIFICATION_REFUND, resource=("verification", "v1"),
        reference="verification:v1:refund",
        metadata={"reason": "timeout", "service_title": "WhatsApp", "refund_reference": "ref_1"},
    )  # fmt: skip

    assert (last(user).event, last(user).data) == (
        "instant_refund",
        {
            "amount": "2.50",
            "service": "WhatsApp",
            "reason": "timeout",
            "balance": "2.50",
            "reference": "ref_1",
            "transaction": "verification:v1:refund",
        },
    )


def test_a_refund_that_staff_gave_is_a_completed_one() -> None:
    user = make_user()

    move(user, 250, TransactionType.VERIFICATION_REFUND, metadata={"actor": "staff", "refund_reference": "ref_1"})

    assert (last(user).event, last(user).actor, last(user).data["reference"]) == ("refund_completed", "staff", "ref_1")


def test_a_movement_without_a_resource_is_its_own() -> None:
    user = make_user()

    move(user, 250, TransactionType.BONUS, reference="bonus:1")

    assert (last(user).resource_type, last(user).resource_id) == ("transaction", "bonus:1")


def test_the_event_of_a_movement_that_is_rolled_back_is_rolled_back_too() -> None:
    user = make_user()

    with unit_of_work():
        funded(user, 100)
        transaction.set_rollback(True)

    assert events_of(user) == []


def test_without_its_event_no_money_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user()
    monkeypatch.delitem(events.OF_TRANSACTION, TransactionType.BONUS)

    with pytest.raises(KeyError):
        funded(user, 100)

    assert wallet.wallet_of(user=user).balance == 0


def test_a_low_balance_is_recorded_once_for_each_fall_through_the_threshold(settings: Any) -> None:
    settings.LOW_BALANCE_CENTS = 200
    user = make_user()
    funded(user, 300)

    for number, amount in enumerate((-100, -1, -1, 2, -1), start=1):
        move(user, amount, TransactionType.ADJUSTMENT, reference=f"test:{number}")

    assert [event for event in events_of(user) if event == "low_balance"] == ["low_balance"] * 2
    assert Activity.objects.filter(event="low_balance").earliest("pk").data == {"balance": "1.99"}


# --- verifications


def test_a_purchase_gives_three_events() -> None:
    user = make_user()
    funded(user, 1_000)
    verification = make_verification(user, price=250)

    send(verifications_signals.verification_requested, sender=Verification, verification=verification)
    move(user, -250, TransactionType.SMS_PURCHASE, description="WhatsApp number")
    send(verifications_signals.number_purchased, sender=Verification, verification=verification)

    assert events_of(user)[1:] == ["verification_initiated", "credit_deducted", "number_purchased"]
    assert Activity.objects.get(event="verification_initiated").data == {
        "service": "WhatsApp",
        "country": "US",
        "cost": "2.50",
    }
    assert last(user).data == {"service": "WhatsApp", "phone": "+12065550100"}
    assert (last(user).resource_type, last(user).resource_id) == ("verification", str(verification.pk))


def test_the_event_of_an_arrived_code_names_the_message_and_has_no_code() -> None:
    user = make_user()
    verification = make_verification(user)
    message = Message.objects.create(
        verification=verification, digest="1", text="908172", code="908172", received_at=timezone.now()
    )

    send(verifications_signals.verification_completed, sender=Verification, verification=verification, message=message)

    assert (last(user).event, last(user).data) == (
        "verification_complete",
        {"service": "WhatsApp", "verification": str(verification.pk), "message_id": str(message.pk)},
    )


@pytest.mark.parametrize(("code", "event"), [("908172", "verification_complete"), ("", "message_received")])
def test_a_further_sms_is_an_event_of_its_own(code: str, event: str) -> None:
    user = make_user()
    verification = make_verification(user, status="completed")
    message = Message.objects.create(
        verification=verification, digest="1", text="A text", code=code, received_at=timezone.now()
    )

    send(verifications_signals.message_arrived, sender=Verification, verification=verification, message=message)

    assert (last(user).event, last(user).data["message_id"]) == (event, str(message.pk))


def test_an_unclear_purchase_is_an_event() -> None:
    user = make_user()
    send(verifications_signals.verification_unclear, sender=Verification, verification=make_verification(user))
    assert (last(user).event, last(user).status, last(user).data) == (
        "verification_unclear",
        "pending",
        {"service": "WhatsApp"},
    )


def test_a_refusal_gives_its_sentence() -> None:
    user = make_user()
    verification = make_verification(user, status="failed", charged=False)

    send(
        verifications_signals.verification_refused,
        sender=Verification,
        verification=verification,
        why="There is no number left.",
    )

    assert (last(user).event, last(user).data) == (
        "verification_failed",
        {"service": "WhatsApp", "why": "There is no number left"},
    )


@pytest.mark.parametrize(
    ("reason", "event", "data"),
    [
        ("timeout", "verification_timeout", {"service": "WhatsApp"}),
        ("cancelled", "verification_cancelled", {"service": "WhatsApp", "amount": "2.50", "balance": "7.77"}),
        ("failed", "verification_ended", {"service": "WhatsApp", "why": "It was withdrawn", "amount": "2.50"}),
    ],
)
def test_an_ending_says_which_it_was(
    reason: str, event: str, data: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    funded(user, 777)
    verification = make_verification(user, price=250)
    _only_activity_listens(monkeypatch)

    send(
        verifications_signals.verification_ended,
        sender=Verification,
        verification=verification,
        reason=reason,
        why="It was withdrawn.",
    )

    assert (last(user).event, last(user).data) == (event, data)


def _only_activity_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = verifications_signals.verification_ended
    ours = [found for found in signal.receivers if found[0][0] == "activity.verification_ended"]
    monkeypatch.setattr(signal, "receivers", ours)
    signal.sender_receivers_cache.clear()


# --- payments


@pytest.mark.parametrize(
    ("signal", "event", "more"),
    [
        (payments_signals.payment_initiated, "payment_initiated", {}),
        (payments_signals.payment_failed, "payment_failed", {"reason": "Your card was declined"}),
        (payments_signals.payment_expired, "payment_expired", {}),
    ],
)
def test_a_payment_that_moves_no_money_says_where_it_stands(signal: Any, event: str, more: dict[str, str]) -> None:
    user = make_user()
    payment = make_payment(user, failure_reason="Your card was declined.")

    send(signal, sender=Payment, payment=payment)

    assert (last(user).event, last(user).data) == (event, {"amount": "20.00", "reference": payment.reference, **more})
    assert (last(user).resource_type, last(user).resource_id) == ("payment", payment.reference)


def test_a_completed_payment_is_recorded_by_the_journal_alone() -> None:
    user = make_user()
    payment = make_payment(user)

    row = move(
        user, 2_000, TransactionType.CREDIT, counterparty=Counterparty.STRIPE, resource=("payment", payment.reference),
        reference=f"payment:{payment.reference}",
    )  # fmt: skip
    send(payments_signals.payment_completed, sender=Payment, payment=payment, transaction=row)

    assert events_of(user) == ["payment_completed"]
    assert last(user).data == {
        "amount": "20.00",
        "balance": "20.00",
        "reference": payment.reference,
        "transaction": f"payment:{payment.reference}",
    }


def test_who_paid_another_amount_reads_that_it_is_being_looked_at() -> None:
    user = make_user()
    payment = make_payment(user, mismatch={"paid_amount": "19.00", "paid_currency": "EUR"})
    send(payments_signals.payment_mismatched, sender=Payment, payment=payment, details=payment.mismatch)
    event = Activity.objects.get(user=user)
    assert (event.event, event.resource_id) == ("payment_under_review", payment.reference)
    assert event.data == {"amount": "20.00", "paid": "€19.00", "reference": payment.reference}


# --- accounts

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"


def test_a_sign_in_says_from_where() -> None:
    user = make_user()

    send(accounts_signals.signed_in, sender=User, user=user, ip_address="203.0.113.9", user_agent=FIREFOX)

    signin = last(user)
    assert (signin.event, signin.ip_address, signin.user_agent) == ("security_signin", "203.0.113.9", FIREFOX)
    assert signin.data == {
        "device": "Firefox on Windows",
        "place": "203.0.113.9",
        "time": signin.created_at.isoformat(),
    }


def test_a_key_made_and_revoked_is_two_events_without_its_secret() -> None:
    user = make_user()

    key, secret = accounts.create_api_key(user=user, name="ci")
    accounts.revoke_api_key(user=user, key_id=key.pk)

    assert events_of(user) == ["api_key_created", "api_key_revoked"]
    assert last(user).data == {"name": "ci"}
    assert not Activity.objects.filter(data__icontains=secret).exists()
    assert last(user).resource_id == str(ApiKey.objects.get().pk)


def test_an_accepted_policy_is_recorded_with_its_version() -> None:
    user = make_user(accepted=False)

    accounts.accept_policy(user=user, ip_address="203.0.113.9")

    assert (last(user).event, last(user).ip_address) == ("policy_accepted", "203.0.113.9")


@pytest.mark.parametrize(
    ("what", "event"),
    [("password", "security_settings"), ("e-mail address", "security_settings"), ("time zone", "settings_updated")],
)
def test_a_changed_setting_is_a_security_matter_unless_it_is_harmless(what: str, event: str) -> None:
    user = make_user()

    send(accounts_signals.settings_changed, sender=User, user=user, what=what)

    assert (last(user).event, last(user).data) == (event, {"what": what})


def test_what_staff_change_is_theirs_in_the_activity() -> None:
    user = make_user()
    send(accounts_signals.settings_changed, sender=User, user=user, what="active", actor="staff")
    assert (last(user).event, last(user).actor) == ("security_settings", "staff")


@pytest.mark.parametrize(("frozen", "title"), [(True, "Purchases Paused"), (False, "Purchases Resumed")])
def test_pausing_and_resuming_purchases_is_an_event_with_its_reason(frozen: bool, title: str) -> None:
    user = make_user()
    send(accounts_signals.purchases_frozen, sender=User, user=user, frozen=frozen, reason="a dispute")
    assert (last(user).title, last(user).data, last(user).actor) == (title, {"reason": "a dispute"}, "staff")
