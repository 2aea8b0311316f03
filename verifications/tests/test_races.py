"""Many at once, on real connections: each rule holds all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from config.lib.errors.base import DomainError
from dev.sandbox.testing import RunningSandbox
from verifications import services
from verifications.models import Status, Verification
from verifications.services import receive
from verifications.tests.books import assert_balanced, money, rows
from wallet.errors import InsufficientFunds
from wallet.tests.factories import funded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.races, pytest.mark.drill]
InThreads = Callable[..., list[Any]]
CHARGED = [("sms_purchase", -50)]
REFUNDED = [("sms_purchase", -50), ("verification_refund", 50)]


def unexpected(answers: list[Any]) -> list[Exception]:
    return [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, DomainError)]


@pytest.fixture
def patient(settings: Any) -> None:
    """A hundred threads on two cores take their time."""
    settings.PROVIDER_TIMEOUT_SECONDS = 20


def test_a_hundred_purchases_with_one_key_are_one_sale(
    shop: RunningSandbox, customer: User, patient: None, in_threads: InThreads
) -> None:
    buy = partial(services.buy, user=customer, service_name="test_pending", key="k1")
    answers = in_threads(buy, times=100)

    assert unexpected(answers) == []
    refused = {answer.code for answer in answers if isinstance(answer, DomainError)}
    sold = [answer for answer in answers if not isinstance(answer, DomainError)]
    assert refused <= {"in_progress"}
    assert Counter(answer.replayed for answer in sold)[False] == 1
    assert {answer.verification.pk for answer in sold} == {Verification.objects.get().pk}
    assert (len(shop.ledger()["numbers"]), rows(customer)) == (1, CHARGED)
    assert_balanced(shop, user=customer)


def test_fifty_purchases_with_money_for_ten_are_ten(
    shop: RunningSandbox, patient: None, in_threads: InThreads, settings: Any
) -> None:
    settings.MAX_PENDING = 100
    user = make_user()
    funded(user, 10 * 50)
    answers = in_threads(partial(services.buy, user=user, service_name="test_pending"), times=50)

    assert unexpected(answers) == []
    assert Counter(type(answer) for answer in answers) == {services.Purchase: 10, InsufficientFunds: 40}
    assert (len(shop.ledger()["numbers"]), money(user)) == (10, (0, 0))
    assert_balanced(shop, user=user)


def test_twenty_purchases_near_the_limit_stay_within_it(
    shop: RunningSandbox, customer: User, patient: None, in_threads: InThreads, settings: Any
) -> None:
    settings.MAX_PENDING = 5
    for _ in range(3):
        services.buy(user=customer, service_name="test_pending")
    answers = in_threads(partial(services.buy, user=customer, service_name="test_pending"), times=20)

    assert unexpected(answers) == []
    assert Counter(getattr(answer, "code", "bought") for answer in answers) == {"bought": 2, "over_limit": 18}
    assert_balanced(shop, user=customer)


def test_a_hundred_cancels_of_one_number_refund_once(
    shop: RunningSandbox, waiting: Verification, patient: None, in_threads: InThreads
) -> None:
    shop.settings(latency_ms=50)
    cancel = partial(services.cancel, user=waiting.user, verification_id=waiting.pk)
    answers = in_threads(cancel, times=100)

    assert unexpected(answers) == []
    assert {answer.verification.status for answer in answers} <= {Status.CANCELLED, Status.WAITING}
    assert {(a.verification.status == Status.WAITING) == a.pending for a in answers} == {True}
    assert sum("/cancel" in line for line in shop.requests()) == 1
    assert (rows(waiting.user), money(waiting.user)) == (REFUNDED, (1000, 0))
    assert_balanced(shop, user=waiting.user)


def test_a_cancel_against_an_arriving_code_is_one_or_the_other(
    shop: RunningSandbox, waiting: Verification, in_threads: InThreads
) -> None:
    """The provider decides which was first; money and status follow it."""
    answers = in_threads(
        [
            partial(services.cancel, user=waiting.user, verification_id=waiting.pk),
            partial(shop.sms, waiting.phone_number, "111111 is your code"),
            partial(services.poll_due, now=timezone.now() + timedelta(seconds=3)),
        ]
    )
    assert [error for error in unexpected(answers) if "reservation" not in str(error)] == []
    for seconds in (10, 30):
        services.poll_due(now=timezone.now() + timedelta(seconds=seconds))
        services.recover_due(now=timezone.now() + timedelta(seconds=seconds))

    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) in [(Status.CANCELLED, REFUNDED), (Status.COMPLETED, CHARGED)]
    assert_balanced(shop, user=waiting.user)


def test_expiry_against_cancel_refunds_once(shop: RunningSandbox, waiting: Verification, in_threads: InThreads) -> None:
    assert waiting.expires_at is not None
    over = waiting.expires_at + timedelta(seconds=11)
    answers = in_threads(
        [
            partial(services.cancel, user=waiting.user, verification_id=waiting.pk),
            *[partial(services.expire_due, now=over)] * 3,
        ]
    )
    assert unexpected(answers) == []
    services.recover_due(now=over + timedelta(seconds=30))
    services.expire_due(now=over + timedelta(seconds=60))

    waiting.refresh_from_db()
    assert (waiting.status in (Status.CANCELLED, Status.TIMED_OUT), rows(waiting.user)) == (True, REFUNDED)
    assert_balanced(shop, user=waiting.user)


def test_ten_pushes_and_polls_of_one_message_are_one(
    shop: RunningSandbox, waiting: Verification, in_threads: InThreads
) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    [webhook] = shop.webhooks()
    push = partial(
        receive.receive_webhook,
        provider="textverified",
        headers=webhook["headers"],
        body=webhook["body"].encode(),
    )
    answers = in_threads([push] * 10 + [partial(services.poll_due, now=timezone.now() + timedelta(seconds=3))] * 3)

    assert unexpected(answers) == []
    waiting.refresh_from_db()
    assert (waiting.status, waiting.messages.count()) == (Status.COMPLETED, 1)


def test_two_recoveries_adopt_one_number_once(shop: RunningSandbox, customer: User, in_threads: InThreads) -> None:
    shop.fault(r"POST .*/v2/verifications$", "drop_after")
    services.buy(user=customer, service_name="test_pending")
    answers = in_threads(partial(services.recover_due, now=timezone.now() + timedelta(seconds=20)), times=5)

    assert unexpected(answers) == []
    assert (Verification.objects.get().status, rows(customer)) == (Status.WAITING, CHARGED)
    assert_balanced(shop, user=customer)


def test_many_expire_in_one_sweep_each_refunded_once(
    shop: RunningSandbox, patient: None, in_threads: InThreads, settings: Any
) -> None:
    users = [make_user() for _ in range(3)]
    for user in users:
        funded(user, 500)
        for _ in range(8):
            services.buy(user=user, service_name="test_pending")
    now = timezone.now() + timedelta(seconds=911)
    seen = in_threads(partial(services.expire_due, now=now), times=2)

    assert sum(seen) == 24
    assert set(Verification.objects.values_list("status", flat=True)) == {Status.TIMED_OUT}
    for user in users:
        assert_balanced_alone(user)
    assert {number["state"] for number in shop.ledger()["numbers"]} == {"verificationCanceled"}


def assert_balanced_alone(user: User) -> None:
    assert (money(user), Counter(rows(user))) == (
        (500, 0),
        {("sms_purchase", -50): 8, ("verification_refund", 50): 8},
    )
