"""What the sockets hear after the commit of each piece of news. Every frame is as declared."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from activity import services as activity
from activity.models import Activity
from activity.tests.factories import happened, make_verification
from dev.testing.signals import send
from notifications import tasks
from notifications.models import Notification
from notifications.realtime import frames
from payments import signals as payments_signals
from payments.models import Payment
from verifications import signals as verifications_signals
from verifications.models import Verification
from verifications.selectors import summary_of
from wallet import services as wallet
from wallet.models import Transaction
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any) -> Any:
    """`heard(work, kind)`: the frames of this type that went out after the commit of `work`, as (to whom, frame)."""
    sent: list[tuple[int | str, dict[str, Any]]] = []

    def send(hints: Any) -> None:
        for group, frame in hints:
            to = "staff" if group == "staff" else int(group.removeprefix("user."))
            sent.append((to, json.loads(frames.encode(frame))))

    monkeypatch.setattr("notifications.realtime.publish.send", send)

    def run(work: Any, kind: str) -> list[tuple[int | str, dict[str, Any]]]:
        with django_capture_on_commit_callbacks(execute=True):
            work()
            assert sent == []
        return [(to, frame) for to, frame in sent if frame["type"] == kind]

    return run


def test_a_movement_sends_its_owner_the_new_balance(user: User, heard: Any) -> None:
    [(to, frame)] = heard(lambda: funded(user, 500), "balance_update")

    row = Transaction.objects.get()
    assert to == user.pk
    assert {key: frame[key] for key in ("balance", "available", "version")} == {
        "balance": "5.00",
        "available": "5.00",
        "version": 1,
    }
    assert frame["transaction"] == {
        "id": row.pk,
        "sequence": 1,
        "amount": "5.00",
        "transaction_type": "bonus",
        "description": "Money for a test",
        "service": "",
        "created_at": frames.iso(row.created_at),
    }


def test_a_hold_sends_what_is_available(user: User, heard: Any) -> None:
    funded(user, 500)

    work = lambda: wallet.hold(user=user, amount=200, reference="verification:1", description="A number")  # noqa: E731
    [*_, (_, frame)] = heard(work, "balance_update")

    assert (frame["balance"], frame["available"], frame["transaction"]) == ("5.00", "3.00", None)


def test_the_console_hears_of_every_movement(user: User, heard: Any) -> None:
    [(to, frame)] = heard(lambda: funded(user, 500), "transaction")

    assert (to, frame["user_id"], frame["amount"], frame["transaction_type"]) == ("staff", user.pk, "5.00", "bonus")


def test_the_console_hears_of_an_alert_once(user: User, heard: Any) -> None:
    def twice() -> None:
        for _ in range(2):
            activity.raise_alert(rule="provider_orphan", cause="lr_1", severity="critical", details={}, user=user)

    [(to, frame)] = heard(twice, "alert")

    assert (to, frame["rule"], frame["cause"], frame["user_id"], frame["state"]) == (
        "staff",
        "provider_orphan",
        "lr_1",
        user.pk,
        "open",
    )


@pytest.mark.parametrize(
    ("signal", "news"),
    [
        (verifications_signals.verification_requested, {}),
        (verifications_signals.number_purchased, {}),
        (verifications_signals.verification_refused, {"why": "No number left."}),
        (verifications_signals.verification_progressed, {}),
        (verifications_signals.verification_completed, {}),
        (verifications_signals.verification_updated, {}),
    ],
)
def test_a_verification_is_sent_as_it_is_after_the_commit(
    user: User, heard: Any, signal: Any, news: dict[str, str]
) -> None:
    verification = make_verification(user)

    def work() -> None:
        send(signal, sender=Verification, verification=verification, **news)
        Verification.objects.filter(pk=verification.pk).update(phone_number="+12065550199")

    [(to, frame)] = heard(work, "verification")

    verification.refresh_from_db()
    assert (to, frame) == (user.pk, {**summary_of(verification), "type": "verification"})
    assert frame["phone_number"] == "+12065550199"


@pytest.mark.parametrize(
    "signal",
    [payments_signals.payment_initiated, payments_signals.payment_failed, payments_signals.payment_expired],
)
def test_a_payments_status_is_sent(user: User, heard: Any, signal: Any) -> None:
    payment = Payment.objects.create(
        user=user, gateway="stripe", amount=2_000, currency="USD", expires_at=timezone.now(), failure_reason="Declined"
    )

    [(to, frame)] = heard(lambda: send(signal, sender=Payment, payment=payment), "payment")

    assert (to, frame) == (
        user.pk,
        {
            "type": "payment",
            "reference": payment.reference,
            "status": "initiated",
            "amount": "20.00",
            "failure_reason": "Declined",
        },
    )


@pytest.mark.parametrize(("task", "age"), [(tasks.sweep, timedelta(minutes=5)), (tasks.sweep_all, timedelta(days=40))])
def test_the_workers_add_what_is_missing(
    user: User, monkeypatch: pytest.MonkeyPatch, task: Any, age: timedelta
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("notifications.inbox.services.notifying._INSERT", "SELECT nonsense")
        happened(user, now=timezone.now() - age)

    task()

    assert Notification.objects.get().activity == Activity.objects.get()
