"""Buying: what is refused, what is reserved, what is charged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.errors import PolicyNotAccepted, PurchasesFrozen
from accounts.models import User
from accounts.services import set_purchases_frozen
from accounts.tests.factories import make_user
from config.lib.errors.base import DomainError, KeyReused
from dev.sandbox.testing import RunningSandbox
from verifications import errors, providers, services
from verifications.models import Offer, Status, Verification
from verifications.tests.books import assert_balanced, money, rows
from verifications.tests.factories import make_offer
from wallet.errors import InsufficientFunds
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


def test_a_purchase_charges_the_price_and_waits_on_the_number(shop: RunningSandbox, customer: User) -> None:
    purchase = services.buy(user=customer, service_name="test_pending")

    [number] = shop.ledger()["numbers"]
    bought = purchase.verification
    assert (purchase.replayed, bought.status, bought.charged) == (False, Status.WAITING, True)
    assert (bought.provider_id, bought.phone_number) == (number["id"], number["number"])
    assert number["key"] == str(bought.pk)
    assert (bought.next_recovery_at, bought.answered_at is not None) == (None, True)
    assert timedelta(minutes=14) < bought.expires_at - timezone.now() <= timedelta(minutes=15)
    assert (money(customer), rows(customer)) == ((950, 0), [("sms_purchase", -50)])
    assert_balanced(shop, user=customer)


def test_the_whole_path_from_order_to_code(shop: RunningSandbox, customer: User) -> None:
    bought = services.buy(user=customer, service_name="test_success").verification
    shop.advance(4)

    services.poll_due(now=timezone.now() + timedelta(seconds=3))

    bought.refresh_from_db()
    assert bought.status == Status.COMPLETED
    assert [(message.code, "123456" in message.text) for message in bought.messages.all()] == [("123456", True)]
    assert rows(customer) == [("sms_purchase", -50)]
    assert_balanced(shop, user=customer)


def refused(user: User, **request: Any) -> DomainError:
    """The refusal, after a check that nothing was written and nobody was asked to sell."""
    before = Verification.objects.count()
    with pytest.raises(DomainError) as caught:
        services.buy(user=user, **{"service_name": "test_pending", **request})
    assert Verification.objects.count() == before
    assert "verification_id" not in caught.value.extra
    return caught.value


def test_an_unknown_service_is_refused(shop: RunningSandbox, customer: User) -> None:
    assert isinstance(refused(customer, service_name="nonesuch"), errors.UnknownService)


def test_a_service_that_is_not_sold_any_more_is_unknown(shop: RunningSandbox, customer: User) -> None:
    Offer.objects.update(active=False)
    assert isinstance(refused(customer), errors.UnknownService)


def test_a_blocked_service_is_refused(shop: RunningSandbox, customer: User) -> None:
    make_offer("chase", blocked=True, title="Chase Bank")
    error = refused(customer, service_name="chase")
    assert (error.code, error.status) == ("service_blocked", 403)
    assert "Chase Bank" in str(error.detail)


def test_a_service_of_a_blocked_kind_is_refused(shop: RunningSandbox, customer: User) -> None:
    offer = make_offer("chase")
    offer.service.category.blocked = True
    offer.service.category.save()
    assert isinstance(refused(customer, service_name="chase"), errors.ServiceBlocked)


def test_the_policy_has_to_be_accepted_first(shop: RunningSandbox) -> None:
    newcomer = make_user(accepted=False)
    funded(newcomer, 1000)
    assert isinstance(refused(newcomer), PolicyNotAccepted)


def test_a_frozen_customer_is_refused_even_with_an_old_instance(shop: RunningSandbox, customer: User) -> None:
    set_purchases_frozen(user=customer, frozen=True, reason="a dispute", now=timezone.now())
    assert isinstance(refused(customer), PurchasesFrozen)


def test_a_price_above_the_limit_is_refused_and_named(shop: RunningSandbox, customer: User) -> None:
    error = refused(customer, max_price=49)
    assert (error.code, error.status, error.extra) == ("price_moved", 409, {"price": "0.50"})


def test_the_price_itself_is_within_the_limit(shop: RunningSandbox, customer: User) -> None:
    assert services.buy(user=customer, service_name="test_pending", max_price=50).verification.price == 50


def test_too_little_money_is_refused(shop: RunningSandbox) -> None:
    poor = make_user()
    funded(poor, 49)
    error = refused(poor)
    assert isinstance(error, InsufficientFunds)
    assert (money(poor), shop.ledger()["numbers"]) == ((49, 0), [])


def test_pending_numbers_are_limited(shop: RunningSandbox, customer: User, settings: Any) -> None:
    settings.MAX_PENDING = 1
    services.buy(user=customer, service_name="test_pending")
    error = refused(customer)
    assert (error.code, error.status, error.extra) == ("over_limit", 429, {"retry_after": 30})


def test_purchases_an_hour_are_limited(shop: RunningSandbox, customer: User, settings: Any) -> None:
    settings.MAX_BUYS_PER_HOUR = 1
    first = services.buy(user=customer, service_name="test_pending").verification
    Verification.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(minutes=50))
    error = refused(customer)
    assert error.code == "over_limit"
    assert 590 <= error.extra["retry_after"] <= 600


def test_an_open_breaker_refuses_before_any_hold(shop: RunningSandbox, customer: User, settings: Any) -> None:
    for _ in range(settings.BREAKER_FAILURES):
        providers.purchase_breaker().failure()
    asked = shop.requests()
    error = refused(customer)
    assert (error.code, error.status) == ("provider_unavailable", 503)
    assert 0 < error.extra["retry_after"] <= settings.BREAKER_RESET_SECONDS
    assert shop.requests() == asked


def test_a_refused_purchase_gives_the_breakers_trial_back(shop: RunningSandbox, customer: User, settings: Any) -> None:
    settings.BREAKER_RESET_SECONDS = 0
    for _ in range(settings.BREAKER_FAILURES):
        providers.purchase_breaker().failure()
    settings.MAX_PENDING = 0
    refused(customer)
    settings.MAX_PENDING = 20
    assert services.buy(user=customer, service_name="test_pending").verification.status == Status.WAITING


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [("test_no_numbers", "out_of_stock", 409), ("test_insufficient_balance", "provider_unavailable", 503)],
)
def test_what_the_provider_refuses_is_not_charged(
    shop: RunningSandbox, customer: User, service: str, code: str, status: int
) -> None:
    with pytest.raises(DomainError) as caught:
        services.buy(user=customer, service_name=service)

    failed = Verification.objects.get()
    assert (caught.value.code, caught.value.status) == (code, status)
    assert caught.value.extra["verification_id"] == str(failed.pk)
    assert (failed.status, failed.charged) == (Status.FAILED, False)
    assert str(caught.value.detail).startswith(f"{failed.failure_reason} Nothing was charged. ")
    assert (failed.next_recovery_at, money(customer), rows(customer)) == (None, (1000, 0), [])
    assert_balanced(shop, user=customer)


def test_a_sale_above_the_cost_that_made_our_price_is_refused(shop: RunningSandbox, customer: User) -> None:
    Offer.objects.update(cost="0.2000", price=40)
    with pytest.raises(errors.PriceMoved):
        services.buy(user=customer, service_name="test_pending")
    assert (shop.ledger()["numbers"], money(customer)) == ([], (1000, 0))
    assert Offer.objects.get(service__name="test_pending").price == 50  # the next look is right


def test_a_fixed_price_is_what_is_charged(shop: RunningSandbox, customer: User) -> None:
    offer = make_offer("discord", fixed_price=199, cost="0.3000", price=199)
    bought = services.buy(user=customer, service_name=offer.service.name).verification
    assert (bought.price, rows(customer)) == (199, [("sms_purchase", -199)])


def test_an_offer_without_a_price_is_asked_for_one(shop: RunningSandbox, customer: User) -> None:
    make_offer("discord", cost=None, price=None, quoted_at=None)
    assert services.buy(user=customer, service_name="discord").verification.price == 60


def test_a_chosen_area_code_costs_what_the_provider_takes_for_it(shop: RunningSandbox, customer: User) -> None:
    bought = services.buy(user=customer, service_name="test_pending", area_code="212").verification
    assert (bought.price, bought.phone_number[-10:][:3]) == (70, "212")


# --- keys


def test_the_same_request_under_the_same_key_charges_once(shop: RunningSandbox, customer: User) -> None:
    first = services.buy(user=customer, service_name="test_pending", key="k1")
    again = services.buy(user=customer, service_name="test_pending", key="k1")
    assert (first.replayed, again.replayed, again.verification) == (False, True, first.verification)
    assert rows(customer) == [("sms_purchase", -50)]
    assert_balanced(shop, user=customer)


def test_another_request_under_the_same_key_is_refused(shop: RunningSandbox, customer: User) -> None:
    services.buy(user=customer, service_name="test_pending", key="k1")
    for other in ({"service_name": "test_success"}, {"max_price": 100}, {"area_code": "212"}):
        assert isinstance(refused(customer, key="k1", **other), KeyReused)


def test_two_customers_may_use_the_same_key(shop: RunningSandbox, customer: User) -> None:
    other = make_user()
    funded(other, 100)
    first = services.buy(user=customer, service_name="test_pending", key="k1").verification
    assert services.buy(user=other, service_name="test_pending", key="k1").verification != first


def test_a_key_that_failed_stays_failed(shop: RunningSandbox, customer: User) -> None:
    with pytest.raises(errors.OutOfStock):
        services.buy(user=customer, service_name="test_no_numbers", key="k1")
    again = services.buy(user=customer, service_name="test_no_numbers", key="k1")
    assert (again.replayed, again.verification.status) == (True, Status.FAILED)


def test_a_key_that_is_being_answered_is_in_progress_for_ten_seconds(shop: RunningSandbox, customer: User) -> None:
    first = services.buy(user=customer, service_name="test_pending", key="k1").verification
    mine = Verification.objects.filter(pk=first.pk)
    mine.update(answered_at=None, created_at=timezone.now() - timedelta(seconds=4))
    error = refused(customer, key="k1")
    assert (error.code, error.status, error.extra) == ("in_progress", 409, {"retry_after": 6})

    mine.update(created_at=timezone.now() - timedelta(seconds=11))
    assert services.buy(user=customer, service_name="test_pending", key="k1").replayed
