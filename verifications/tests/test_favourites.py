"""Favourites of the shop: kept once, shown first, by page and by API; and what was bought last."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.models import User
from accounts.tests.factories import make_user
from verifications import errors, favourites, services
from verifications.models import Favourite, Verification
from verifications.tests.factories import make_offer, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def api(user: User) -> APIClient:
    return api_of(user, scopes=["read", "buy"])


def api_of(user: User, *, scopes: list[str]) -> APIClient:
    _key, secret = accounts.create_api_key(user=user, name="test", scopes=scopes)
    return APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")


def kept(user: User) -> list[str]:
    return [offer.service.name for offer in favourites.favourites_of(user=user)]


def test_a_favourite_kept_twice_is_kept_once(user: User) -> None:
    make_offer("whatsapp")
    for _ in range(2):
        services.add_favourite(user=user, service_name="whatsapp")
    assert kept(user) == ["whatsapp"]
    assert Favourite.objects.count() == 1


def test_favourites_are_each_customers_own_and_stand_by_title(user: User) -> None:
    for name, title in (("zoom", "Zoom"), ("ebay", "eBay"), ("airbnb", "Airbnb")):
        make_offer(name, title=title)
    for name in ("zoom", "airbnb", "ebay"):
        services.add_favourite(user=user, service_name=name)
    assert (kept(user), kept(make_user("other@example.test"))) == (["airbnb", "ebay", "zoom"], [])


@pytest.mark.parametrize("name", ["nothing", "blocked"])
def test_what_we_do_not_sell_is_not_kept(user: User, name: str) -> None:
    make_offer("blocked", blocked=True)
    with pytest.raises(errors.UnknownService):
        services.add_favourite(user=user, service_name=name)
    assert not Favourite.objects.exists()


def test_a_favourite_that_is_no_longer_for_sale_is_left_out(user: User) -> None:
    offer = make_offer("whatsapp")
    services.add_favourite(user=user, service_name="whatsapp")
    type(offer).objects.update(active=False)
    assert kept(user) == []


def test_removing_what_was_not_kept_changes_nothing(user: User) -> None:
    make_offer("whatsapp")
    services.remove_favourite(user=user, service_name="whatsapp")
    services.add_favourite(user=user, service_name="whatsapp")
    services.remove_favourite(user=user, service_name="whatsapp")
    assert kept(user) == []


def test_bought_last_is_newest_first_each_once_and_for_sale(user: User) -> None:
    for name in ("whatsapp", "telegram", "zoom", "gone"):
        make_offer(name, active=name != "gone")
    make_offer("line")
    for name in ("whatsapp", "zoom", "whatsapp", "gone", "telegram", "line"):
        charged = name != "line"  # which there was no number for
        service = make_service(name)
        Verification.objects.create(user=user, service=service, country="US", price=50, currency="USD", charged=charged)
    assert [offer.service.name for offer in favourites.bought_last(user=user)] == ["telegram", "whatsapp", "zoom"]
    services.add_favourite(user=user, service_name="telegram")
    last = favourites.bought_last(user=user, number=1)
    assert [offer.service.name for offer in last] == ["whatsapp"], "a favourite is shown as one"


@pytest.mark.parametrize("rows", [1, 3])
def test_the_shelf_is_one_query_however_long(user: User, rows: int, django_assert_num_queries: Any) -> None:
    for number in range(rows):
        make_offer(f"service{number}")
        services.add_favourite(user=user, service_name=f"service{number}")
    with django_assert_num_queries(1):
        assert len(kept(user)) == rows


def test_a_star_pressed_without_scripts_leads_back_to_the_shop(user: User, browser: Client) -> None:
    make_offer("whatsapp", title="WhatsApp")
    answer = browser.post("/favourites", {"add": "whatsapp"})
    assert (answer.status_code, answer["Location"], kept(user)) == (302, "/buy", ["whatsapp"])
    page = browser.get("/buy").content.decode()
    assert page.index('id="favourites"') < page.index('id="services"')
    assert 'name="remove" value="whatsapp"' in page
    answer = browser.post("/favourites", {"remove": "whatsapp", "from": "service"})
    assert (answer["Location"], kept(user)) == ("/buy/whatsapp", [])


def test_a_star_pressed_with_scripts_gets_the_shelf_and_the_star_alone(browser: Client) -> None:
    make_offer("whatsapp", title="WhatsApp")
    page = browser.post("/favourites", {"add": "whatsapp"}, headers={"HX-Request": "true"}).content.decode()
    assert (page.count("hx-swap-oob"), page.count('aria-pressed="true"'), "<html" in page) == (2, 2, False)
    shelf_alone = {"remove": "whatsapp", "listed": "0"}
    page = browser.post("/favourites", shelf_alone, headers={"HX-Request": "true"}).content.decode()
    assert (page.count("hx-swap-oob"), "aria-pressed" in page) == (1, False)


def test_a_star_of_nothing_is_not_found(browser: Client) -> None:
    assert browser.post("/favourites", {"add": "nothing"}).status_code == 404
    assert browser.post("/favourites", {}).status_code == 404


def test_favourites_by_api(user: User, api: APIClient) -> None:
    make_offer("whatsapp", title="WhatsApp")
    for _ in range(2):
        assert api.put("/api/v1/favourites/whatsapp").status_code == 204
    body = api.get("/api/v1/favourites").json()
    assert (body["total"], [row["service_name"] for row in body["services"]]) == (1, ["whatsapp"])
    assert body["services"][0]["price"] == "0.50"
    for _ in range(2):
        assert api.delete("/api/v1/favourites/whatsapp").status_code == 204
    assert api.get("/api/v1/favourites").json() == {"total": 0, "services": []}


def test_the_api_refuses_an_unknown_service_and_a_key_that_may_only_read(user: User, api: APIClient) -> None:
    make_offer("whatsapp")
    answer = api.put("/api/v1/favourites/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_service")
    assert api_of(user, scopes=["read"]).put("/api/v1/favourites/whatsapp").status_code == 403
    assert kept(user) == []
