"""The list of a customer's numbers, and what the start page keeps of it at hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from verifications import selectors
from verifications.models import Message, Status, Verification
from verifications.tests.factories import make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def number(user: User, phone: str = "7155550100", *, code: str = "", ago: int = 0, **fields: Any) -> Verification:
    ended = timezone.now() - timedelta(seconds=ago)
    found = Verification.objects.create(
        user=user,
        service=make_service("discord", title="Discord"),
        country="US",
        price=50,
        currency="USD",
        phone_number=phone,
        **{"status": Status.COMPLETED, "charged": True, "ended_at": ended, "created_at": ended, **fields},
    )
    if code:
        Message.objects.create(
            verification=found, digest=code, text=f"Your code is {code}", code=code, received_at=ended
        )
    return found


def test_the_history_has_each_numbers_code_for_its_owner_alone(browser: Client, user: User) -> None:
    number(user, code="482913")
    number(make_user("another@example.test"), code="771199")
    page = browser.get("/history").content.decode()
    assert ">482913<" in page
    assert "771199" not in page


@pytest.mark.parametrize(
    "typed",
    ["7155550100", "+1 715 555 0100", "1 (715) 555-0100", "715.555.0100", "555 01", " 0100 ", "+1 715", "715‑555"],
)
def test_a_number_is_found_however_it_is_typed(browser: Client, user: User, typed: str) -> None:
    number(user, "7155550100")
    number(user, "3026667788")
    page = browser.get("/history", {"q": typed}).content.decode()
    assert "<span>715</span>" in page
    assert "<span>302</span>" not in page


def test_words_are_looked_for_in_the_services_name(browser: Client, user: User) -> None:
    number(user, "7155550100")
    assert "<span>715</span>" in browser.get("/history", {"q": "disc"}).content.decode()
    assert "<span>715</span>" not in browser.get("/history", {"q": "x715"}).content.decode()


def test_the_start_page_keeps_a_code_for_ten_minutes(browser: Client, user: User, settings: Any) -> None:
    number(user, code="111111", ago=590)
    number(user, code="222222", ago=610)
    number(user, code="", ago=5, status=Status.TIMED_OUT)
    page = browser.get("/").content.decode()
    assert ">111111<" in page
    assert "222222" not in page
    settings.CODE_AT_HAND_SECONDS = 60
    assert "111111" not in browser.get("/").content.decode()


@pytest.mark.parametrize("rows", [1, 3])
def test_what_is_at_hand_costs_the_same_however_much_it_is(
    user: User, rows: int, django_assert_num_queries: Any
) -> None:
    for place in range(rows):
        number(user, code=f"00000{place}")
    with django_assert_num_queries(3):
        found = list(selectors.open_or_just_completed(user=user, now=timezone.now()))
        assert len({selectors.code_of(one) for one in found}) == rows


def test_the_title_of_a_numbers_page_begins_with_its_code(browser: Client, user: User) -> None:
    found = number(user, code="482913")
    assert "<title>482913 · Discord</title>" in browser.get(f"/verify/{found.pk}").content.decode()
    without = number(user, status=Status.TIMED_OUT)
    assert "<title>Discord · Ringfence</title>" in browser.get(f"/verify/{without.pk}").content.decode()
