"""Only the provider's own word settles an order whose outcome is unknown: neither a proxy's, nor a list half read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from dev.sandbox.testing import RunningSandbox
from verifications import providers, services, signals
from verifications.models import Settlement, Status, Verification
from verifications.providers.base import Sale, Spec
from verifications.services import lookup
from verifications.tests.books import assert_balanced, money, rows
from verifications.tests.factories import make_service

pytestmark = pytest.mark.django_db
ORDER = r"POST .*/v2/verifications$"
DETAILS = r"GET .*/v2/verifications/\w+$"
LIST = r"GET .*/v2/verifications$"
CHARGED = [("sms_purchase", -50)]
NO_WORD_OF_THE_VENDOR = (
    "forbidden_403",
    "html_404",
    "html_4xx",
    "html_413",
    "html_451",
    "empty_400",
    "empty_404",
    "empty_413",
    "empty_451",
    "truncated",
)


def recover(*, after: float) -> Verification:
    services.recover_due(now=timezone.now() + timedelta(seconds=after))
    return Verification.objects.get()


def sold(shop: RunningSandbox) -> list[tuple[str, str]]:
    return [(number["id"], number["state"].removeprefix("verification")) for number in shop.ledger()["numbers"]]


def orders(shop: RunningSandbox) -> int:
    return sum(request.endswith("POST /textverified/api/pub/v2/verifications") for request in shop.requests())


@pytest.fixture
def orphans() -> Iterator[list[tuple[str, str]]]:
    news: list[tuple[str, str]] = []

    def hear(**kwargs: Any) -> None:
        news.append((kwargs["provider_id"], kwargs["details"]["action"]))

    signals.provider_orphan_found.connect(hear)
    yield news
    signals.provider_orphan_found.disconnect(hear)


@pytest.mark.parametrize("fault", NO_WORD_OF_THE_VENDOR)
def test_a_replay_that_something_in_between_answers_refuses_nothing(
    shop: RunningSandbox, customer: User, fault: str
) -> None:
    """The number is sold; the answer was lost, and then a proxy's page comes for the replay."""
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    shop.fault(ORDER, fault)

    after_the_page = recover(after=2)
    assert (after_the_page.status, money(customer)) == (Status.REQUESTED, (1000, 50))
    assert after_the_page.next_recovery_at is not None

    adopted = recover(after=90)
    assert (adopted.status, rows(customer)) == (Status.WAITING, CHARGED)
    assert sold(shop) == [(adopted.provider_id, "Pending")]
    assert_balanced(shop, user=customer)


@pytest.mark.parametrize("fault", NO_WORD_OF_THE_VENDOR)
@pytest.mark.parametrize("where", [ORDER, DETAILS])
def test_a_purchase_that_something_in_between_answers_stays_requested(
    shop: RunningSandbox, customer: User, where: str, fault: str
) -> None:
    shop.fault(where, fault)
    bought = services.buy(user=customer, service_name="test_pending").verification
    assert (bought.status, money(customer)) == (Status.REQUESTED, (1000, 50))
    adopted = recover(after=2)
    assert (adopted.status, rows(customer)) == (Status.WAITING, CHARGED)
    assert sold(shop) == [(adopted.provider_id, "Pending")]


@pytest.mark.parametrize("fault", [*NO_WORD_OF_THE_VENDOR, "error_500", "throttle_429"])
def test_a_list_that_can_not_be_had_at_give_up_is_asked_for_again(
    shop: RunningSandbox, customer: User, fault: str
) -> None:
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    shop.fault(LIST, fault)

    given_up = recover(after=601)
    assert (given_up.status, money(customer), given_up.next_recovery_at is not None) == (Status.FAILED, (1000, 0), True)

    for round_ in range(4):
        settled = recover(after=1000 + 1000 * round_)
    assert (settled.settlement, settled.next_recovery_at) == (Settlement.RETURNED, None)
    assert sold(shop) == [(settled.provider_id, "Canceled")]
    assert_balanced(shop, user=customer)


@pytest.mark.parametrize("fault", NO_WORD_OF_THE_VENDOR)
def test_a_number_to_be_given_back_is_not_forgotten_for_a_proxy_s_page(
    shop: RunningSandbox, customer: User, fault: str
) -> None:
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    recover(after=601)
    shop.fault(DETAILS, fault)
    assert recover(after=602).settlement == Settlement.UNSETTLED
    settled = recover(after=700)
    assert (settled.settlement, sold(shop)) == (Settlement.RETURNED, [(settled.provider_id, "Canceled")])


# --- after giving up nothing is ordered


@pytest.mark.parametrize("lost", ["drop_before", "drop_after"])
def test_after_giving_up_nothing_is_ordered(shop: RunningSandbox, customer: User, lost: str) -> None:
    shop.fault(ORDER, lost)
    services.buy(user=customer, service_name="test_pending")
    ordered = orders(shop)
    for round_ in range(3):
        recover(after=601 + 1000 * round_)
    assert orders(shop) == ordered
    assert [state for _id, state in sold(shop)] == ([] if lost == "drop_before" else ["Canceled"])


def test_an_order_that_never_arrived_buys_nothing_where_another_buyer_s_number_is_listed(
    shop: RunningSandbox, customer: User
) -> None:
    """It bought one, only to give it back, as soon as any number of that service was listed."""
    shop.settings(keys_in_lists=True)
    shop.fault(ORDER, "drop_before")
    services.buy(user=customer, service_name="test_pending")
    providers.current().purchase(Spec("test_pending"), key="another program's")
    shop.fault(LIST, "error_500")
    for round_ in range(3):
        failed = recover(after=601 + 1000 * round_)
    assert (failed.status, failed.provider_id, failed.next_recovery_at) == (Status.FAILED, "", None)
    assert [state for _id, state in sold(shop)] == ["Pending"]
    assert money(customer) == (1000, 0)


@pytest.mark.parametrize("order", ["newest", "oldest", "mixed"])
def test_the_number_is_found_wherever_the_list_has_it(shop: RunningSandbox, customer: User, order: str) -> None:
    """Seven pages, half of them older than the order; the list's order is not promised."""
    shop.settings(token_seconds=36_000)
    for n in range(3):
        providers.current().purchase(Spec("test_timeout"), key=f"old {n}")
    shop.advance(3600)
    shop.fault(ORDER, "drop_after")
    row = services.buy(user=customer, service_name="test_pending").verification
    Verification.objects.update(created_at=row.created_at + timedelta(hours=1))  # as the provider's clock has it
    for n in range(3):
        providers.current().purchase(Spec("test_success"), key=f"young {n}")
    shop.settings(list_order=order, page_length=1)

    recover(after=3600 + 601)
    settled = recover(after=3600 + 602)

    assert settled.settlement == Settlement.RETURNED
    states = {number["key"]: number["state"] for number in shop.ledger()["numbers"]}
    assert states[str(row.pk)] == "verificationCanceled"
    assert [states[f"young {n}"] for n in range(3)] == ["verificationPending"] * 3


@pytest.mark.parametrize(("seconds", "fits"), [(-61, False), (-60, True), (0, True), (661, True), (662, False)])
def test_the_window_of_an_order_ends_with_its_last_replay(settings: Any, seconds: float, fits: bool) -> None:
    settings.RECOVER_GIVE_UP_SECONDS, settings.PROVIDER_TIMEOUT_SECONDS = 600, 1
    now = timezone.now()
    order = Verification(service=make_service("test_pending"), created_at=now)
    sale = Sale("lr_1", "2025550100", "Test_Pending", "waiting", Decimal("0.25"), now + timedelta(seconds=seconds))
    assert lookup.matches_order(order, sale) is fits
    assert lookup.matches_order(order, replace(sale, service="test_success")) is False


# --- whose number it is


def given_up(shop: RunningSandbox, customer: User) -> None:
    """An order that was sold, and is given up while the provider says nothing."""
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    shop.fault(LIST, "error_500")
    recover(after=601)


def test_a_list_that_shows_keys_names_the_number(shop: RunningSandbox, customer: User) -> None:
    given_up(shop, customer)
    for n in range(2):
        providers.current().purchase(Spec("test_pending"), key=f"another program's {n}")
    shop.settings(keys_in_lists=True)
    recover(after=1000)
    settled = recover(after=1001)
    assert sold(shop) == [(settled.provider_id, "Canceled"), *[(pk, "Pending") for pk, _ in sold(shop)[1:]]]


def test_numbers_that_may_be_another_buyer_s_are_left_to_staff(
    shop: RunningSandbox, customer: User, orphans: list[tuple[str, str]]
) -> None:
    given_up(shop, customer)
    providers.current().purchase(Spec("test_pending"), key="another program's")
    left = recover(after=1000)
    assert (left.provider_id, left.next_recovery_at) == ("", None)
    assert [state for _id, state in sold(shop)] == ["Pending", "Pending"]
    look = f"look at it: it may be the number of {left.pk}"
    assert sorted(orphans) == sorted((pk, look) for pk, _ in sold(shop))


def test_where_nobody_else_buys_the_nearest_number_is_the_order_s(
    shop: RunningSandbox, customer: User, settings: Any
) -> None:
    settings.PROVIDER_ACCOUNT_EXCLUSIVE = True
    given_up(shop, customer)
    shop.advance(30)
    providers.current().purchase(Spec("test_pending"), key="of an order that we forgot")
    recover(after=1000)
    recover(after=1001)
    assert [state for _id, state in sold(shop)] == ["Canceled", "Pending"]


@pytest.mark.django_db(transaction=True)
def test_a_number_that_may_be_an_open_order_s_is_left_until_that_is_settled(
    shop: RunningSandbox, customer: User
) -> None:
    shop.fault(ORDER, "drop_before")
    lost = services.buy(user=customer, service_name="test_pending").verification
    Verification.objects.filter(pk=lost.pk).update(created_at=lost.created_at - timedelta(minutes=9, seconds=50))
    shop.fault(ORDER, "drop_after")
    open_one = services.buy(user=customer, service_name="test_pending").verification
    Verification.objects.filter(pk=open_one.pk).update(next_recovery_at=timezone.now() + timedelta(minutes=5))

    services.recover_due(now=timezone.now() + timedelta(seconds=20))
    lost.refresh_from_db()
    assert (lost.status, lost.provider_id, lost.next_recovery_at is not None) == (Status.FAILED, "", True)

    services.recover_due(now=timezone.now() + timedelta(seconds=301))
    open_one.refresh_from_db()
    assert (open_one.status, sold(shop)) == (Status.WAITING, [(open_one.provider_id, "Pending")])
    services.recover_due(now=timezone.now() + timedelta(seconds=900))
    lost.refresh_from_db()
    assert (lost.status, lost.provider_id, lost.next_recovery_at) == (Status.FAILED, "", None)


@pytest.mark.django_db(transaction=True)
def test_two_lost_orders_and_one_number_end_with_the_number_given_back_once(
    shop: RunningSandbox, customer: User
) -> None:
    shop.fault(ORDER, "drop_before")
    services.buy(user=customer, service_name="test_pending")
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    for round_ in range(6):
        services.recover_due(now=timezone.now() + timedelta(seconds=601 + 1000 * round_))
    assert [state for _id, state in sold(shop)] == ["Canceled"]
    assert set(Verification.objects.values_list("status", "next_recovery_at", "settlement")) == {
        ("failed", None, "unsettled"),
        ("failed", None, "returned"),
    }


def test_a_list_with_rows_that_can_not_be_read_proves_nothing(shop: RunningSandbox, customer: User) -> None:
    shop.fault(ORDER, "drop_after")
    services.buy(user=customer, service_name="test_pending")
    shop.settings(state_words={"verificationPending": None})
    looked_for = recover(after=601)
    assert (looked_for.status, looked_for.next_recovery_at is not None) == (Status.FAILED, True)
    shop.settings(state_words={})
    recover(after=1000)
    settled = recover(after=1001)
    assert (settled.settlement, sold(shop)) == (Settlement.RETURNED, [(settled.provider_id, "Canceled")])


def test_after_a_day_the_search_is_left_to_the_nightly_comparison(shop: RunningSandbox, customer: User) -> None:
    given_up(shop, customer)
    shop.fault(LIST, "error_500")
    assert recover(after=timedelta(hours=24).total_seconds() + 1).next_recovery_at is None
