"""The shop's pages: what may not be bought and why, and an area code with the price it costs."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from dev.sandbox.testing import RunningSandbox
from verifications.models import Category, Service, Verification
from verifications.tests.factories import make_offer, make_service

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(client: Client, customer: User, shop: RunningSandbox) -> Client:
    client.force_login(customer)
    return client


@pytest.mark.parametrize("own", [True, False])
def test_a_search_for_a_blocked_service_says_that_it_is_blocked_and_why(browser: Client, own: bool) -> None:
    payments = Category.objects.create(slug="payments", name="Payments and crypto", blocked=True)
    if own:
        make_service("paypal", title="PayPal", blocked=True)
    else:
        Service.objects.create(name="paypal", title="PayPal", category=payments)
    page = browser.get("/buy", {"q": "paypal"}, headers=HTMX).content.decode()
    assert "We don't sell numbers for PayPal" in page
    assert ("Payments and crypto" in page) is not own
    assert 'href="/policy"' in page
    assert "another spelling" not in page


def test_a_service_that_staff_have_not_looked_at_yet_is_not_called_forbidden(browser: Client) -> None:
    category = Category.objects.get_or_create(slug="unclassified", defaults={"name": "Unclassified", "blocked": True})[
        0
    ]
    Service.objects.create(name="brandnew", title="Brand New", category=category)
    page = browser.get("/buy", {"q": "brand"}).content.decode()
    assert "It is new, and we look at each service before we sell it." in page
    assert "policy blocks" not in page


def test_what_is_blocked_is_named_beside_what_may_be_bought(browser: Client) -> None:
    make_service("pay_one", title="Pay One", blocked=True)
    make_offer("pay_two", title="Pay Two")
    page = browser.get("/buy", {"q": "pay"}).content.decode()
    assert "We don't sell numbers for Pay One" in page
    assert 'href="/buy/pay_two"' in page
    assert "Pay One" not in browser.get("/buy").content.decode()


def test_an_area_code_is_chosen_with_the_price_that_it_costs(browser: Client, shop: RunningSandbox) -> None:
    page = browser.get("/buy/test_pending").content.decode()
    assert "Buy for $0.50" in page
    page = browser.get("/buy/test_pending", {"area_code": "212"}).content.decode()
    price = page.partition("Buy for $")[2][:4]
    assert float(price) > 0.5
    assert f"${price} with area code 212, $0.50 without" in page
    cents = round(float(price) * 100)
    answer = browser.post("/buy/test_pending", {"key": "one", "price": str(cents), "area_code": "212"})
    bought = Verification.objects.get()
    assert answer["Location"] == f"/verify/{bought.pk}"
    assert (bought.area_code, bought.price, bought.phone_number[:3]) == ("212", cents, "212")


@pytest.mark.parametrize("typed", ["12", "112", "2125", "abc", "٢١٢", "2 12"])
def test_what_is_no_area_code_is_refused_in_its_field_and_buys_nothing(browser: Client, typed: str) -> None:
    sentence = 'id="area-error">Enter the area code as three digits, such as 212.'
    page = browser.get("/buy/test_pending", {"area_code": typed})
    assert (page.status_code, sentence in page.content.decode()) == (200, True)
    answer = browser.post("/buy/test_pending", {"price": "500", "area_code": typed})
    assert (answer.status_code, sentence in answer.content.decode()) == (400, True)
    assert Verification.objects.count() == 0


def test_an_area_whose_price_is_not_to_be_had_leaves_the_others(browser: Client, shop: RunningSandbox) -> None:
    shop.fault("POST .*/pricing/", "error_500", times=9)
    page = browser.get("/buy/test_success", {"area_code": "212"}).content.decode()
    assert "Buy for $0.50" in page
    assert "We can&#x27;t get the price for area code 212 right now." in page
