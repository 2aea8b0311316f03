"""The refunds' page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import make_user
from config.lib.unit_of_work import unit_of_work
from refunds import services
from refunds.models import Refund
from refunds.tests.factories import bought, end
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    user = make_user()
    funded(user, 20_00)
    return user


@pytest.fixture
def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def refunded(user: User, reason: str = "timeout") -> Refund:
    with unit_of_work():
        return services.refund_verification(verification=end(bought(user)), reason=reason)


@pytest.mark.parametrize(
    ("reason", "words"),
    [("timeout", "No code came in time"), ("cancelled", "You cancelled"), ("failed", "Ended by the provider")],
)
def test_a_refund_says_why_and_leads_to_its_number(user: User, browser: Client, reason: str, words: str) -> None:
    refund = refunded(user, reason)
    page = browser.get("/refunds").content.decode()
    for part in (words, refund.reference, f"/refunds/{refund.reference}", "+$"):
        assert part in page
    detail = browser.get(f"/refunds/{refund.reference}").content.decode()
    for part in (words, refund.reference, f"/verify/{refund.verification_id}", "$2.50 is back in your wallet."):
        assert part in detail


def test_nobody_sees_anothers(user: User, browser: Client) -> None:
    other = make_user("other@example.test")
    funded(other, 20_00)
    reference = refunded(other).reference
    page = browser.get("/refunds").content.decode()
    assert (reference in page, "No refunds yet" in page) == (False, True)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_asks_the_same_however_many(
    user: User, browser: Client, rows: int, django_assert_num_queries: Any
) -> None:
    for _ in range(rows):
        refunded(user)
    browser.get("/refunds")  # notes where one is signed in
    with django_assert_num_queries(4):  # session, user, the bar on top, rows
        browser.get("/refunds")


def test_a_refund_is_its_owners_alone(user: User, browser: Client) -> None:
    other = make_user()
    funded(other, 20_00)
    assert browser.get(f"/refunds/{refunded(other).reference}").status_code == 404
    assert browser.get("/refunds/none").status_code == 404


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("initiated", "This refund is being processed."),
        ("failed", "This refund failed. Contact support"),
        ("cancelled", "This refund was cancelled."),
    ],
)
def test_a_refund_says_how_it_stands(user: User, browser: Client, status: str, words: str) -> None:
    refund = refunded(user)
    Refund.objects.filter(pk=refund.pk).update(status=status, completed_at=None)
    assert words in browser.get(f"/refunds/{refund.reference}").content.decode()
