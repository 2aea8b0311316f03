"""The end of a number's time: last look, given back there, refunded here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from dev.sandbox.testing import RunningSandbox
from verifications import providers, services
from verifications.models import Settlement, Status, Verification
from verifications.signals import provider_loss_booked
from verifications.tests.books import assert_balanced, rows

pytestmark = pytest.mark.django_db
REFUNDED = [("sms_purchase", -50), ("verification_refund", 50)]
BREAK_ALL = r"(GET|POST) .*/(verifications/|sms)"


def end_of(verification: Verification, seconds: float = 11) -> datetime:
    """So long after the provider's end time."""
    assert verification.expires_at is not None
    return verification.expires_at + timedelta(seconds=seconds)


@pytest.fixture
def losses() -> Any:
    """The verifications whose loss was booked."""
    booked: list[Any] = []

    def book(verification: Verification, **_: Any) -> None:
        booked.append(verification.pk)

    provider_loss_booked.connect(book)
    yield booked
    provider_loss_booked.disconnect(book)


def test_nothing_ends_within_the_grace(shop: RunningSandbox, waiting: Verification) -> None:
    assert services.expire_due(now=end_of(waiting, 9.9)) == 0


def test_a_number_without_a_code_is_given_back_and_refunded(shop: RunningSandbox, waiting: Verification) -> None:
    assert services.expire_due(now=end_of(waiting)) == 1
    waiting.refresh_from_db()
    assert (waiting.status, waiting.settlement, waiting.next_recovery_at) == (
        Status.TIMED_OUT,
        Settlement.RETURNED,
        None,
    )
    assert (waiting.failure_reason, rows(waiting.user)) == ("No code arrived in time.", REFUNDED)
    assert [number["state"] for number in shop.ledger()["numbers"]] == ["verificationCanceled"]
    assert services.expire_due(now=end_of(waiting, 60)) == 0
    assert_balanced(shop, user=waiting.user)


def test_a_number_that_ended_there_is_reported_so_that_our_cost_comes_back(
    shop: RunningSandbox, waiting: Verification
) -> None:
    shop.advance(905)
    services.expire_due(now=end_of(waiting))
    waiting.refresh_from_db()
    assert (waiting.status, waiting.settlement) == (Status.TIMED_OUT, Settlement.RETURNED)
    assert [number["state"] for number in shop.ledger()["numbers"]] == ["verificationReported"]
    assert_balanced(shop, user=waiting.user)


def test_a_report_that_fails_is_repeated_by_recovery(shop: RunningSandbox, waiting: Verification) -> None:
    shop.advance(905)
    shop.fault(r"POST .*/report", "drop_before")
    now = end_of(waiting)
    services.expire_due(now=now)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.settlement) == (Status.TIMED_OUT, Settlement.UNSETTLED)
    assert rows(waiting.user) == REFUNDED

    services.recover_due(now=now + timedelta(seconds=30))
    waiting.refresh_from_db()
    assert (waiting.settlement, waiting.next_recovery_at) == (Settlement.RETURNED, None)
    assert [number["state"] for number in shop.ledger()["numbers"]] == ["verificationReported"]


@pytest.mark.django_db(transaction=True)
def test_of_many_reports_the_one_that_fails_is_repeated_alone(
    shop: RunningSandbox, waiting: Verification, customer: User
) -> None:
    services.buy(user=customer, service_name="test_pending")
    shop.advance(905)
    shop.fault(r"POST .*/report", "drop_before")
    now = end_of(Verification.objects.latest("expires_at"))
    services.expire_due(now=now)
    ended = Verification.objects.order_by("settlement")
    assert [(row.status, row.settlement) for row in ended] == [
        (Status.TIMED_OUT, Settlement.RETURNED),
        (Status.TIMED_OUT, Settlement.UNSETTLED),
    ]
    assert services.recover_due(now=now + timedelta(seconds=30)) == 1
    assert [row.settlement for row in ended.all()] == [Settlement.RETURNED, Settlement.RETURNED]
    assert_balanced(shop, user=customer)


@pytest.mark.django_db(transaction=True)
def test_everybody_has_the_money_before_the_provider_is_told(
    shop: RunningSandbox, waiting: Verification, customer: User, crash_at: Any
) -> None:
    services.buy(user=customer, service_name="test_pending")
    shop.advance(905)
    now = end_of(Verification.objects.latest("expires_at"))
    with crash_at("verifications.services.provider_calls.report_many"):
        services.expire_due(now=now)
    assert rows(customer) == [("sms_purchase", -50)] * 2 + [("verification_refund", 50)] * 2
    services.recover_due(now=now + timedelta(seconds=30))
    assert_balanced(shop, user=customer)


def test_a_code_at_the_last_look_completes_it(shop: RunningSandbox, waiting: Verification) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    services.expire_due(now=end_of(waiting))
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.COMPLETED, [("sms_purchase", -50)])
    assert_balanced(shop, user=waiting.user)


def test_a_code_that_arrives_during_the_cancel_completes_it(
    shop: RunningSandbox, waiting: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = providers.by_name("textverified")
    ask = provider.cancel

    def cancel(provider_id: str) -> None:
        shop.sms(waiting.phone_number, "111111 is your code")
        ask(provider_id)

    monkeypatch.setattr(provider, "cancel", cancel)
    services.expire_due(now=end_of(waiting))
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.COMPLETED, [("sms_purchase", -50)])
    assert_balanced(shop, user=waiting.user)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_500_after", "hang_after"])
def test_a_cancel_without_an_answer_is_looked_at_again(shop: RunningSandbox, waiting: Verification, fault: str) -> None:
    shop.fault(r"POST .*/cancel", fault)
    services.expire_due(now=end_of(waiting))
    waiting.refresh_from_db()
    assert waiting.status == Status.WAITING
    services.expire_due(now=end_of(waiting, 30))
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.TIMED_OUT, REFUNDED)
    assert_balanced(shop, user=waiting.user)


def test_an_unreachable_provider_is_waited_for_two_minutes_then_the_loss_is_ours(
    shop: RunningSandbox, waiting: Verification, losses: list[Any]
) -> None:
    shop.fault(BREAK_ALL, "error_500", times=50)
    services.expire_due(now=end_of(waiting))
    services.expire_due(now=end_of(waiting, 100))
    waiting.refresh_from_db()
    assert (waiting.status, losses) == (Status.WAITING, [])

    services.expire_due(now=end_of(waiting, 121))
    waiting.refresh_from_db()
    assert (waiting.status, waiting.settlement, losses) == (Status.TIMED_OUT, Settlement.LOST, [waiting.pk])
    assert rows(waiting.user) == REFUNDED


def test_a_booked_loss_is_made_good_when_the_provider_is_back(
    shop: RunningSandbox, waiting: Verification, losses: list[Any]
) -> None:
    shop.fault(BREAK_ALL, "error_500")
    now = end_of(waiting, 121)
    services.expire_due(now=now)
    services.recover_due(now=now + timedelta(seconds=30))
    waiting.refresh_from_db()
    assert (waiting.settlement, waiting.next_recovery_at, losses) == (Settlement.RETURNED, None, [waiting.pk])
    assert_balanced(shop, user=waiting.user)


def test_a_loss_is_not_chased_for_ever(shop: RunningSandbox, waiting: Verification, losses: list[Any]) -> None:
    shop.fault(BREAK_ALL, "error_500", times=50)
    now = end_of(waiting, 121)
    services.expire_due(now=now)
    services.recover_due(now=now + timedelta(minutes=61))
    waiting.refresh_from_db()
    assert (waiting.settlement, waiting.next_recovery_at, losses) == (Settlement.LOST, None, [waiting.pk])


def test_an_open_breaker_does_not_stop_refunds(shop: RunningSandbox, waiting: Verification, settings: Any) -> None:
    for _ in range(settings.BREAKER_FAILURES):
        providers.purchase_breaker().failure()
        providers.operation_breaker("fetch").failure()
    services.expire_due(now=end_of(waiting))
    waiting.refresh_from_db()
    assert waiting.status == Status.TIMED_OUT
    assert_balanced(shop, user=waiting.user)


def test_a_crash_after_the_provider_cancelled_is_ended_by_the_next_sweep(
    shop: RunningSandbox, waiting: Verification, crash_at: Any
) -> None:
    with crash_at("verifications.services.end.end"):
        services.expire_due(now=end_of(waiting))
    services.expire_due(now=end_of(waiting, 40))
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.TIMED_OUT, REFUNDED)
    assert_balanced(shop, user=waiting.user)


# --- progress and purge


def test_those_who_wait_long_are_told_once(
    shop: RunningSandbox, waiting: Verification, django_capture_on_commit_callbacks: Any
) -> None:
    two_minutes = waiting.created_at + timedelta(seconds=120)
    assert services.notify_progress(now=two_minutes - timedelta(seconds=1)) == 0
    assert [services.notify_progress(now=two_minutes) for _ in range(3)] == [1, 0, 0]


def test_those_who_have_their_code_are_told_nothing(shop: RunningSandbox, waiting: Verification) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    services.poll_due(now=timezone.now() + timedelta(seconds=3))
    assert services.notify_progress(now=waiting.created_at + timedelta(seconds=200)) == 0


def test_texts_and_codes_are_emptied_three_days_after_the_end(shop: RunningSandbox, waiting: Verification) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    services.poll_due(now=timezone.now() + timedelta(seconds=3))
    waiting.refresh_from_db()
    three_days = waiting.ended_at + timedelta(hours=72)

    assert services.purge(now=three_days - timedelta(seconds=1)) == 0
    assert services.purge(now=three_days) == 1
    assert services.purge(now=three_days) == 0

    assert list(waiting.messages.values_list("text", "code")) == [("", "")]
    waiting.refresh_from_db()
    assert (waiting.purged_at, waiting.status) == (three_days, Status.COMPLETED)


def test_open_verifications_are_never_purged(shop: RunningSandbox, waiting: Verification, customer: User) -> None:
    assert services.purge(now=timezone.now() + timedelta(days=30)) == 0
