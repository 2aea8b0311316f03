"""The automatic refund: exactly one, in the transaction that ends the verification."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone
from prometheus_client import REGISTRY

from accounts.models import User
from accounts.tests.factories import make_user
from config.lib.unit_of_work import unit_of_work
from dev.testing.signals import send
from refunds import services, signals
from refunds.errors import NothingToRefund
from refunds.models import Refund, RefundStatus
from refunds.tests.factories import bought, end, make_refund
from verifications.models import Status, Verification
from verifications.signals import refund_due
from wallet.errors import NotInTransaction
from wallet.models import Transaction, Wallet
from wallet.signals import transaction_posted
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    user = make_user()
    funded(user, 1000)
    return user


def test_the_charge_comes_back_whole_and_at_once(user: User) -> None:
    verification = end(bought(user, price=250))
    now = timezone.now()
    refund = make_refund(verification, reason="timeout", now=now)

    posted = Transaction.objects.get(reference=f"verification:{verification.pk}:refund")
    charge = Transaction.objects.get(reference=f"verification:{verification.pk}:capture")
    assert (posted.amount, posted.type, posted.counterparty, posted.reverses_id, posted.description) == (
        250,
        "verification_refund",
        "sales",
        charge.pk,
        "Refund: WhatsApp",
    )
    stored = Refund.objects.values().get()
    del stored["id"]
    assert stored == {
        "user_id": user.pk,
        "reference": refund.reference,
        "verification_id": verification.pk,
        "transaction_id": posted.pk,
        "amount": 250,
        "status": "completed",
        "reason": "timeout",
        "automatic": True,
        "created_at": now,
        "completed_at": now,
    }
    assert Wallet.objects.get(user=user).balance == 1000


def test_the_charge_decides_what_comes_back_and_not_the_price_on_the_row(user: User) -> None:
    verification = end(bought(user, price=250))
    Verification.objects.filter(pk=verification.pk).update(price=99_00)
    refund = make_refund(Verification.objects.get(), reason="timeout")
    assert refund.amount == 250


def test_a_second_call_returns_the_first_refund_and_announces_nothing(user: User) -> None:
    verification = end(bought(user))
    first = make_refund(verification, reason="timeout")
    heard: list[Any] = []
    signals.refund_completed.connect(lambda **news: heard.append(news), weak=False, dispatch_uid="test")
    again = make_refund(verification, reason="cancelled")
    signals.refund_completed.disconnect(dispatch_uid="test")
    assert (again.pk, again.reason, Refund.objects.count(), heard) == (first.pk, "timeout", 1, [])


def test_money_that_came_back_without_its_refund_row_gets_the_row_and_nothing_more(user: User) -> None:
    verification = end(bought(user))
    make_refund(verification, reason="timeout")
    Refund.objects.all().delete()
    make_refund(verification, reason="timeout")
    assert (Refund.objects.count(), Wallet.objects.get(user=user).balance) == (1, 1000)


@pytest.mark.parametrize("dead", [RefundStatus.FAILED, RefundStatus.CANCELLED])
def test_the_database_keeps_one_live_refund_a_verification(user: User, dead: str) -> None:
    verification = end(bought(user))
    make_refund(verification, reason="timeout")
    other = {"user": user, "verification": verification, "amount": 1, "reason": "x"}
    Refund.objects.create(**other, status=dead)
    with pytest.raises(IntegrityError, match="refunds_one_per_verification"), unit_of_work():
        Refund.objects.create(**other)


def test_what_was_never_charged_is_not_refunded(user: User) -> None:
    verification = bought(user, status=Status.FAILED, charged=False)
    with pytest.raises(NothingToRefund):
        make_refund(verification, reason="failed")
    assert (Refund.objects.count(), Wallet.objects.get(user=user).balance) == (0, 1000)


@pytest.mark.parametrize("reason", ["timeout", "cancelled", "failed"])
def test_the_end_of_a_charged_verification_brings_its_refund_and_says_why(user: User, reason: str) -> None:
    verification = end(bought(user))
    heard: list[Any] = []

    def hear(transaction: Transaction, metadata: dict[str, str], **_: Any) -> None:
        heard.append((transaction.type, metadata))

    transaction_posted.connect(hear)
    send(refund_due, sender=Verification, verification=verification, reason=reason)
    transaction_posted.disconnect(hear)
    refund = Refund.objects.get()
    assert (refund.reason, refund.status) == (reason, "completed")
    metadata = {"reason": reason, "service_title": "WhatsApp", "refund_reference": refund.reference}
    assert heard == [("verification_refund", metadata)]


def test_the_end_of_an_uncharged_verification_brings_none(user: User) -> None:
    verification = bought(user, status=Status.FAILED, charged=False)
    send(refund_due, sender=Verification, verification=verification, reason="failed")
    assert Refund.objects.count() == 0


def test_a_refund_is_announced_after_its_money_with_both(user: User) -> None:
    verification = end(bought(user))
    heard: list[Any] = []

    def hear(refund: Refund, transaction: Transaction, **_: Any) -> None:
        heard.append((refund.pk, transaction.pk, Wallet.objects.get(user=user).balance))

    signals.refund_completed.connect(hear)
    refund = make_refund(verification, reason="timeout")
    signals.refund_completed.disconnect(hear)
    assert heard == [(refund.pk, refund.transaction_id, 1000)]


def test_its_latency_is_measured_and_logged_once_committed(
    user: User, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("refund_latency_seconds_count") or 0

    verification = end(bought(user))
    before = count()
    caplog.set_level("INFO", logger="refunds.log")
    with django_capture_on_commit_callbacks(execute=True):
        refund = make_refund(verification, reason="timeout")
        assert count() == before
    assert count() == before + 1
    [line] = [r.msg for r in caplog.records if r.name == "refunds.log"]
    named = ("event", "user", "amount", "service", "type", "verification", "refund", "reason")
    assert {name: line[name] for name in named} == {
        "event": f"Auto-refund processed: Verification={verification.pk}",
        "user": user.pk,
        "amount": "2.50",
        "service": "whatsapp",
        "type": "verification_refund",
        "verification": str(verification.pk),
        "refund": refund.reference,
        "reason": "timeout",
    }


@pytest.mark.django_db(transaction=True)
def test_a_refund_needs_the_transaction_of_the_end(user: User) -> None:
    verification = end(bought(user))
    with pytest.raises(NotInTransaction):
        services.refund_verification(verification=verification, reason="timeout")
    assert (Refund.objects.count(), Wallet.objects.get(user=user).balance) == (0, 750)


@pytest.mark.races
@pytest.mark.drill
@pytest.mark.django_db(transaction=True)
def test_twenty_refunds_at_once_are_one(user: User, in_threads: Any) -> None:
    verification = end(bought(user))

    def refund() -> int:
        with unit_of_work():
            return make_refund(verification, reason="timeout").pk

    answers = in_threads(refund, times=20)
    assert set(answers) == {Refund.objects.get().pk}
    assert Wallet.objects.get(user=user).balance == 1000


@pytest.mark.races
@pytest.mark.drill
@pytest.mark.django_db(transaction=True)
def test_reconciling_in_four_processes_at_once_refunds_each_once(user: User, in_threads: Any) -> None:
    for _ in range(4):
        end(bought(user, price=100))
    now = timezone.now()

    def reconcile() -> int:
        since = now - timedelta(days=1)
        return services.reconcile_refunds(since=since, now=timezone.now(), execute=True).mended

    assert sum(in_threads(reconcile, times=4)) == 4
    assert (Refund.objects.count(), Wallet.objects.get(user=user).balance) == (4, 1000)
