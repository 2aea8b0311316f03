"""What a crash or a silent provider leaves open is finished without a person."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from config.lib.errors.base import DomainError
from config.lib.unit_of_work import unit_of_work
from dev.sandbox.testing import RunningSandbox
from verifications import providers, services
from verifications.models import Settlement, Status, Verification
from verifications.services import provider_calls
from verifications.tests.books import assert_balanced, money, rows
from wallet import services as wallet
from wallet.models import Hold

pytestmark = pytest.mark.django_db
ORDER = r"POST .*/v2/verifications$"
AUTH = r"POST .*/auth$"
CHARGED = [("sms_purchase", -50)]


def later(seconds: float = 20) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def recover(*, times: int = 3, after: float = 20) -> Verification:
    """As many rounds of the recovery as it may take, each a minute after the other."""
    for round_ in range(times):
        services.recover_due(now=later(after + 60 * round_))
    return Verification.objects.get()


FAULTS = (
    "drop_before",
    "drop_after",
    "hang",
    "hang_after",
    "error_500",
    "error_500_after",
    "html_502",
    "throttle_429",
    "unauthorized_401",
    "slow:2",
)


@pytest.mark.parametrize("where", [ORDER, r"GET .*/verifications/", AUTH])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_purchase_ends_right(shop: RunningSandbox, customer: User, where: str, fault: str) -> None:
    """Either a number that is charged, or no number and no charge; and never two."""
    shop.fault(where, fault)
    with contextlib.suppress(DomainError):
        services.buy(user=customer, service_name="test_pending")

    ended = recover()

    assert ended.status in (Status.WAITING, Status.FAILED)
    sold = [number["id"] for number in shop.ledger()["numbers"]]
    assert sold == ([ended.provider_id] if ended.status == Status.WAITING else [])
    assert rows(customer) == (CHARGED if sold else [])
    assert_balanced(shop, user=customer)


@pytest.mark.parametrize("fault", ["drop_before", "error_500", "html_502", "hang"])
def test_an_unknown_outcome_is_requested_with_the_money_held(shop: RunningSandbox, customer: User, fault: str) -> None:
    shop.fault(ORDER, fault)
    purchase = services.buy(user=customer, service_name="test_pending", key="k1")
    assert (purchase.verification.status, purchase.replayed) == (Status.REQUESTED, False)
    assert purchase.verification.answered_at is not None
    assert (money(customer), rows(customer)) == ((1000, 50), [])
    again = services.buy(user=customer, service_name="test_pending", key="k1")
    assert (again.verification, again.replayed) == (purchase.verification, True)


def test_recovery_adopts_the_number_that_was_sold(shop: RunningSandbox, customer: User) -> None:
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    [sold] = shop.ledger()["numbers"]

    adopted = recover(times=1, after=2)

    assert (adopted.status, adopted.provider_id, rows(customer)) == (Status.WAITING, sold["id"], CHARGED)
    assert len(shop.ledger()["numbers"]) == 1


def test_an_adopted_number_that_has_its_code_is_completed_at_the_next_poll(
    shop: RunningSandbox, customer: User
) -> None:
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    shop.sms(shop.ledger()["numbers"][0]["number"], "111111 is your code")
    recover(times=1, after=2)
    services.poll_due(now=later(30))
    assert Verification.objects.get().status == Status.COMPLETED


def test_a_replay_that_the_provider_still_works_on_is_asked_again(shop: RunningSandbox, customer: User) -> None:
    shop.fault(ORDER, "drop_before")
    requested = services.buy(user=customer, service_name="test_pending").verification
    shop.plant_key(str(requested.pk), "running")
    assert recover(times=1).status == Status.REQUESTED
    shop.plant_key(str(requested.pk), "unused")
    assert recover(times=1, after=90).status == Status.WAITING
    assert_balanced(shop, user=customer)


def test_an_expired_key_means_that_nothing_was_bought(shop: RunningSandbox, customer: User) -> None:
    shop.fault(ORDER, "drop_before")
    requested = services.buy(user=customer, service_name="test_pending").verification
    shop.plant_key(str(requested.pk), "expired")
    assert (recover(times=1).status, money(customer), rows(customer)) == (Status.FAILED, (1000, 0), [])


def test_a_replay_that_is_refused_releases_the_hold(shop: RunningSandbox, customer: User) -> None:
    shop.fault(ORDER, "drop_before")
    services.buy(user=customer, service_name="test_pending")
    shop.settings(stock={"test_pending": 0})
    failed = recover(times=1)
    assert (failed.status, failed.charged, money(customer)) == (Status.FAILED, False, (1000, 0))
    assert_balanced(shop, user=customer)


# --- crashes


@pytest.mark.parametrize(
    ("point", "sold"),
    [
        ("verifications.services.provider_calls.purchase", False),  # after T1, before the provider is asked
        ("verifications.services.purchase_outcome.fulfil", True),  # after the provider's answer, before T2
        ("verifications.services.purchase_outcome.wallet.capture", True),  # within T2
    ],
)
def test_a_crash_at_any_step_of_a_purchase_ends_with_one_charged_number(
    shop: RunningSandbox, customer: User, crash_at: Any, point: str, sold: bool
) -> None:
    with crash_at(point):
        services.buy(user=customer, service_name="test_pending", key="k1")
    left = Verification.objects.get()
    assert (left.status, money(customer), len(shop.ledger()["numbers"])) == (Status.REQUESTED, (1000, 50), sold)

    assert services.recover_due(now=later(1)) == 0  # the first one may still be at it
    recovered = recover(times=1)

    assert (recovered.status, rows(customer)) == (Status.WAITING, CHARGED)
    assert services.buy(user=customer, service_name="test_pending", key="k1").verification == recovered
    assert_balanced(shop, user=customer)


def test_a_crash_before_a_refusal_is_written_down_is_finished(
    shop: RunningSandbox, customer: User, crash_at: Any
) -> None:
    with crash_at("verifications.services.purchase_outcome.reject"):
        services.buy(user=customer, service_name="test_no_numbers")
    assert (recover(times=1).status, money(customer)) == (Status.FAILED, (1000, 0))


def test_a_crash_within_the_reservation_leaves_nothing(shop: RunningSandbox, customer: User, crash_at: Any) -> None:
    with crash_at("verifications.signals.verification_requested.send"):
        services.buy(user=customer, service_name="test_pending")
    assert (Verification.objects.count(), money(customer), shop.ledger()["numbers"]) == (0, (1000, 0), [])


# --- the charge can't be made


def test_a_number_that_can_not_be_charged_goes_back_and_nobody_pays(
    shop: RunningSandbox, customer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    purchase = provider_calls.purchase

    def lose_the_hold(verification: Verification, admission: Any) -> Any:

        with unit_of_work():
            wallet.release(hold=Hold.objects.get(reference=verification.hold_reference))
        return purchase(verification, admission)

    monkeypatch.setattr(provider_calls, "purchase", lose_the_hold)
    with pytest.raises(DomainError) as caught:
        services.buy(user=customer, service_name="test_pending")

    failed = Verification.objects.get()
    assert (caught.value.status, failed.status, failed.charged) == (503, Status.FAILED, False)
    assert (failed.provider_id != "", failed.settlement) == (True, Settlement.UNSETTLED)

    recovered = recover(times=1)
    assert (recovered.settlement, recovered.next_recovery_at) == (Settlement.RETURNED, None)
    assert [number["state"] for number in shop.ledger()["numbers"]] == ["verificationCanceled"]
    assert (money(customer), rows(customer)) == ((1000, 0), [])
    assert_balanced(shop, user=customer)


# --- too late


def test_after_ten_minutes_nothing_is_bought_any_more(shop: RunningSandbox, customer: User) -> None:
    shop.fault(ORDER, "drop_before")
    services.buy(user=customer, service_name="test_pending")
    failed = recover(times=1, after=601)
    assert (failed.status, money(customer), shop.ledger()["numbers"]) == (Status.FAILED, (1000, 0), [])


def test_a_number_found_too_late_goes_back_and_nobody_pays(shop: RunningSandbox, customer: User) -> None:
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    recover(times=2, after=601)
    failed = Verification.objects.get()
    assert (failed.status, failed.settlement, rows(customer)) == (Status.FAILED, Settlement.RETURNED, [])
    assert [number["state"] for number in shop.ledger()["numbers"]] == ["verificationCanceled"]
    assert_balanced(shop, user=customer)


def test_a_silent_provider_does_not_keep_the_money_and_its_number_goes_back_when_it_speaks(
    shop: RunningSandbox, customer: User
) -> None:
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    shop.fault(".*", "error_500", times=10)
    services.recover_due(now=later(601))
    failed = Verification.objects.get()
    assert (failed.status, money(customer), failed.next_recovery_at is not None) == (Status.FAILED, (1000, 0), True)

    for round_ in range(12):
        services.recover_due(now=later(700 + 100 * round_))
    failed.refresh_from_db()
    assert (failed.settlement, failed.next_recovery_at) == (Settlement.RETURNED, None)
    assert_balanced(shop, user=customer)


def test_while_the_provider_is_down_one_order_at_a_time_is_asked_about(
    shop: RunningSandbox, customer: User, settings: Any
) -> None:
    shop.fault(ORDER, "drop_before", times=3)
    for _ in range(3):
        services.buy(user=customer, service_name="test_pending")
    for _ in range(settings.BREAKER_FAILURES):
        providers.purchase_breaker().failure()
    assert services.recover_due(now=later(2)) == 1
    providers.purchase_breaker().success()
    assert Verification.objects.filter(status=Status.WAITING).count() == 1
