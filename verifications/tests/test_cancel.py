"""Giving a number back."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from config.lib.errors.base import NotFound, OverLimit
from dev.sandbox.testing import RunningSandbox
from verifications import errors, services
from verifications.models import Settlement, Status, Verification
from verifications.services.end import end
from verifications.tests.books import assert_balanced, money, rows

pytestmark = pytest.mark.django_db
CANCEL = r"POST .*/cancel"
REFUNDED = [("sms_purchase", -50), ("verification_refund", 50)]


def later(seconds: float = 60) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


def test_a_cancel_asks_the_provider_first_and_refunds(shop: RunningSandbox, waiting: Verification) -> None:
    cancellation = services.cancel(user=waiting.user, verification_id=waiting.pk)

    cancelled = cancellation.verification
    assert (cancellation.pending, cancelled.status, cancelled.settlement) == (
        False,
        Status.CANCELLED,
        Settlement.RETURNED,
    )
    assert (money(waiting.user), rows(waiting.user)) == ((1000, 0), REFUNDED)
    assert [number["state"] for number in shop.ledger()["numbers"]] == ["verificationCanceled"]
    assert_balanced(shop, user=waiting.user)


def test_cancelling_again_answers_the_same(shop: RunningSandbox, waiting: Verification) -> None:
    first = services.cancel(user=waiting.user, verification_id=waiting.pk)
    again = services.cancel(user=waiting.user, verification_id=waiting.pk)
    assert (again, rows(waiting.user)) == (first, REFUNDED)
    assert sum("cancel" in line for line in shop.requests()) == 1


def test_nobody_cancels_anothers_number(shop: RunningSandbox, waiting: Verification) -> None:
    for somebody, verification_id in ((make_user(), waiting.pk), (waiting.user, uuid.uuid4())):
        with pytest.raises(NotFound):
            services.cancel(user=somebody, verification_id=verification_id)
    assert Verification.objects.get().cancel_requested_at is None


def test_too_early_names_the_seconds_and_leaves_the_number_as_it_was(
    shop: RunningSandbox, waiting: Verification
) -> None:
    shop.settings(cancel_lock_seconds=60)
    with pytest.raises(errors.TooEarly) as caught:
        services.cancel(user=waiting.user, verification_id=waiting.pk)
    assert 55 <= caught.value.extra["retry_after"] <= 60

    waiting.refresh_from_db()
    assert (waiting.status, waiting.is_cancelling, waiting.next_recovery_at) == (Status.WAITING, False, None)
    shop.advance(60)
    Verification.objects.update(cancel_not_before=timezone.now())
    assert not services.cancel(user=waiting.user, verification_id=waiting.pk).pending
    assert_balanced(shop, user=waiting.user)


def test_a_code_that_was_there_first_completes_it(shop: RunningSandbox, waiting: Verification) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    with pytest.raises(errors.AlreadyEnded) as caught:
        services.cancel(user=waiting.user, verification_id=waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.status, "An SMS has arrived" in str(caught.value.detail)) == (Status.COMPLETED, True)
    assert rows(waiting.user) == [("sms_purchase", -50)]
    assert_balanced(shop, user=waiting.user)


def test_a_number_that_has_ended_there_ends_here(shop: RunningSandbox, waiting: Verification) -> None:
    shop.advance(901)
    with pytest.raises(errors.AlreadyEnded) as caught:
        services.cancel(user=waiting.user, verification_id=waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.status, "$0.50 is back" in str(caught.value.detail)) == (Status.TIMED_OUT, True)
    assert rows(waiting.user) == REFUNDED
    assert_balanced(shop, user=waiting.user)


def test_what_failed_says_where_the_money_is(shop: RunningSandbox, customer: User, waiting: Verification) -> None:
    end(verification=waiting, to=Status.FAILED, now=timezone.now(), settlement=Settlement.RETURNED)
    with pytest.raises(errors.OutOfStock):
        services.buy(user=customer, service_name="test_no_numbers")
    never = Verification.objects.get(service__name="test_no_numbers")
    sentences = []
    for row in (waiting, never):
        with pytest.raises(errors.AlreadyEnded) as caught:
            services.cancel(user=row.user, verification_id=row.pk)
        sentences.append(str(caught.value.detail))
    assert sentences == [
        "The provider has ended this number; $0.50 is back in your wallet.",
        "No number was available, and nothing was charged.",
    ]


@pytest.mark.parametrize("fault", ["drop_before", "error_500", "html_502", "hang"])
@pytest.mark.parametrize("after", [False, True])
def test_an_unknown_outcome_is_pending_and_recovery_ends_it(
    shop: RunningSandbox, waiting: Verification, fault: str, after: bool
) -> None:
    if after:
        fault = {"drop_before": "drop_after", "error_500": "error_500_after", "hang": "hang_after"}.get(fault, fault)
    shop.fault(CANCEL, fault)
    cancellation = services.cancel(user=waiting.user, verification_id=waiting.pk)
    assert (cancellation.pending, cancellation.verification.is_cancelling) == (True, True)
    assert rows(waiting.user) == [("sms_purchase", -50)]

    again = services.cancel(user=waiting.user, verification_id=waiting.pk)
    assert again.pending

    services.recover_due(now=later())
    waiting.refresh_from_db()
    assert (waiting.status, waiting.next_recovery_at) == (Status.CANCELLED, None)
    assert rows(waiting.user) == REFUNDED
    assert_balanced(shop, user=waiting.user)


@pytest.mark.parametrize("fault", ["throttle_429", "unauthorized_401"])
def test_a_cancel_that_was_surely_not_done_ends_too(shop: RunningSandbox, waiting: Verification, fault: str) -> None:
    shop.fault(CANCEL, fault)
    services.cancel(user=waiting.user, verification_id=waiting.pk)
    services.recover_due(now=later())
    waiting.refresh_from_db()
    assert waiting.status == Status.CANCELLED
    assert_balanced(shop, user=waiting.user)


def test_a_code_that_comes_while_the_cancel_is_unknown_completes_it(
    shop: RunningSandbox, waiting: Verification
) -> None:
    shop.fault(CANCEL, "drop_before")
    services.cancel(user=waiting.user, verification_id=waiting.pk)
    shop.sms(waiting.phone_number, "111111 is your code")
    services.recover_due(now=later())
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.COMPLETED, [("sms_purchase", -50)])
    assert_balanced(shop, user=waiting.user)


def test_a_crash_after_the_provider_cancelled_is_finished_by_recovery(
    shop: RunningSandbox, waiting: Verification, crash_at: Any
) -> None:
    with crash_at("verifications.services.end.end"):
        services.cancel(user=waiting.user, verification_id=waiting.pk)
    services.recover_due(now=later())
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.CANCELLED, REFUNDED)
    assert_balanced(shop, user=waiting.user)


def test_polling_that_finds_our_cancel_ends_it_as_cancelled(shop: RunningSandbox, waiting: Verification) -> None:
    shop.fault(CANCEL, "drop_after")
    services.cancel(user=waiting.user, verification_id=waiting.pk)
    services.poll_due(now=later(5))
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.CANCELLED, REFUNDED)


def test_cancels_an_hour_are_limited(shop: RunningSandbox, waiting: Verification, settings: Any) -> None:
    settings.MAX_CANCELS_PER_HOUR = 1
    services.cancel(user=waiting.user, verification_id=waiting.pk)
    second = services.buy(user=waiting.user, service_name="test_pending").verification
    with pytest.raises(OverLimit) as caught:
        services.cancel(user=waiting.user, verification_id=second.pk)
    assert 3590 <= caught.value.extra["retry_after"] <= 3600
    assert Verification.objects.get(pk=second.pk).cancel_requested_at is None


def test_what_is_too_early_asks_the_provider_once_until_the_time_it_named(
    shop: RunningSandbox, waiting: Verification
) -> None:
    shop.settings(cancel_lock_seconds=60)
    waits = []
    for _ in range(5):
        with pytest.raises(errors.TooEarly) as caught:
            services.cancel(user=waiting.user, verification_id=waiting.pk)
        waits.append(caught.value.extra["retry_after"])
    assert sum("cancel" in line for line in shop.requests()) == 1
    assert all(55 <= wait <= 60 for wait in waits), waits


def test_cancels_that_are_too_early_count_against_the_limit(
    shop: RunningSandbox, waiting: Verification, settings: Any
) -> None:
    settings.MAX_CANCELS_PER_HOUR = 3
    shop.settings(cancel_lock_seconds=60)
    for _ in range(3):
        with pytest.raises(errors.TooEarly):
            services.cancel(user=waiting.user, verification_id=waiting.pk)
        Verification.objects.update(cancel_not_before=timezone.now())
    with pytest.raises(OverLimit) as caught:
        services.cancel(user=waiting.user, verification_id=waiting.pk)
    assert 3590 <= caught.value.extra["retry_after"] <= 3600
    assert sum("cancel" in line for line in shop.requests()) == 3


def test_an_order_whose_outcome_is_unknown_is_cancelled_once_it_is_known(shop: RunningSandbox, customer: User) -> None:
    shop.fault(r"POST .*/v2/verifications$", "drop_after")
    requested = services.buy(user=customer, service_name="test_pending").verification
    assert requested.status == Status.REQUESTED

    cancellation = services.cancel(user=customer, verification_id=requested.pk)
    assert (cancellation.pending, cancellation.verification.status) == (True, Status.REQUESTED)

    services.recover_due(now=later(2))
    services.recover_due(now=later(30))
    requested.refresh_from_db()
    assert (requested.status, rows(customer)) == (Status.CANCELLED, REFUNDED)
    assert_balanced(shop, user=customer)
