"""What holds for every page that a customer can open."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from accounts.tests.factories import make_user
from config.tests.routes import PUBLIC, belongings, routes
from dev.sandbox.testing import RunningSandbox
from verifications.tests.factories import make_offer

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def test_every_page_that_htmx_gets_in_parts_is_kept_apart_from_the_whole() -> None:
    user = make_user()
    theirs = belongings(user)
    browser = Client()
    browser.force_login(user)
    in_parts, unmarked = set(), set()
    for route in routes():
        path = route.at(**{**dict.fromkeys(route.parameters, "1"), **PUBLIC, **theirs})
        whole = browser.get(path)
        if whole.status_code != 200 or not whole["Content-Type"].startswith("text/html"):
            continue
        part = browser.get(path, headers=HTMX)
        if b"<html" in whole.content and b"<html" not in part.content:
            in_parts.add(route.path)
        for answer in (whole, part):
            if "hx-request" not in answer.get("Vary", "").lower():
                unmarked.add(route.path)
    assert {"/buy", "/notifications"} <= in_parts
    assert unmarked == set()


def paused(user: User) -> User:
    accounts.set_purchases_frozen(user=user, frozen=True, reason="a disputed payment", now=timezone.now())
    return user


def test_a_paused_account_says_so_on_every_page_and_can_not_press_buy(client: Client, sandbox: RunningSandbox) -> None:
    customer = make_user()
    theirs = belongings(customer)
    make_offer("test_pending")
    client.force_login(customer)
    sentence = "Purchases are paused on your account. Reason: a disputed payment."
    assert sentence not in client.get("/").content.decode()
    paused(customer)
    silent = []
    for route in routes():
        answer = client.get(route.at(**{**dict.fromkeys(route.parameters, "1"), **PUBLIC, **theirs}))
        page = "" if answer.streaming else answer.content.decode()
        if answer.status_code == 200 and 'id="main"' in page and sentence not in page:
            silent.append(route.path)
    assert silent == []
    page = client.get("/buy/test_pending").content.decode()
    button = page.partition("Buy for $0.50")[0].rpartition("<button")[2]
    assert "disabled" in button
    assert 'aria-describedby="why-off"' in button
    assert 'id="why-off"' in page


def test_who_is_not_paused_pays_no_query_for_it(client: Client) -> None:
    customer = make_user()
    client.force_login(customer)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/help")
        return len(asked)

    queries()  # the first page of a session writes it down
    usual = queries()
    paused(customer)
    assert queries() == usual + 1
