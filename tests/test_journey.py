"""The core journey in a real browser, on the running product: sign up, top up, buy, get the code or the money."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from dev.testing.live import until
from tests.people import customer, sign_in
from verifications.models import Verification
from wallet.models import Transaction, Wallet

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EMAIL, PASSWORD = "ada@example.test", "a-long-enough-password"


@pytest.fixture
def catalogue(live: LiveStack) -> None:
    from verifications import services

    services.sync_catalogue(now=timezone.now())


def buy(page: Page, title: str) -> None:
    page.goto("/buy")
    page.get_by_label("Search services").fill(title)
    page.get_by_role("link", name=re.compile(title)).first.click()
    page.get_by_role("button", name=re.compile("Buy for")).click()
    page.wait_for_url(re.compile(r"/verify/"))


def test_a_newcomer_signs_up_tops_up_and_gets_the_code_in_two_tabs_without_a_reload(
    live: LiveStack, page: Page, catalogue: None
) -> None:
    expect = _expect()

    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Create account").first.click()
    page.get_by_label(re.compile("^E-?mail", re.IGNORECASE)).fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Check your e-mail")).to_be_visible()

    page.goto(confirmation_link(live, EMAIL))
    page.get_by_role("button", name="Yes, confirm it").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()

    page.get_by_role("link", name="Top up").first.click()
    page.get_by_text("$20.00", exact=True).click()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("button", name=re.compile("Pay")).click()
    expect(page.get_by_text("$20.00 is in your wallet.")).to_be_visible()
    expect(page.locator("[data-available]").first).to_have_text("$20.00")

    page.goto("/buy/test_success")
    page.get_by_role("button", name="Accept and continue").click()
    second = page.context.new_page()
    second.goto("/")
    expect(second.locator("[data-realtime-state]")).to_have_attribute("data-realtime-state", "live")
    marks = [mark_unreloaded(second)]
    page.get_by_role("button", name="Buy for $0.50").click()
    page.wait_for_url(re.compile(r"/verify/"))
    marks.append(mark_unreloaded(page))

    expect(page.locator("#number")).to_have_text(re.compile(r"\d{10}"))
    expect(page.locator("#code")).to_have_text("123456", timeout=60_000)
    for tab in (page, second):
        expect(tab.locator("[data-available]").first).to_have_text("$19.50")
    expect(second.locator("#running").get_by_text("123456")).to_be_visible()
    code_came = ".toast:has-text('SMS Code Received!')"
    expect(second.locator(code_came)).to_be_visible()
    expect(page.locator("[data-unread-badge]").first).to_have_text(
        second.locator("[data-unread-badge]").first.inner_text()
    )
    assert page.locator(code_came).count() == 0, "it lies over the code"
    assert all(mark() for mark in marks), "a page was reloaded"
    books_are_right()


def test_a_number_without_a_code_brings_its_money_back_by_itself(live: LiveStack, page: Page, catalogue: None) -> None:
    expect = _expect()
    user = customer(cents=5_00)
    sign_in(page, user)
    buy(page, "Test Timeout")
    expect(page.locator("[data-available]").first).to_have_text("$4.50")
    unreloaded = mark_unreloaded(page)
    live.sandbox.advance(21)
    expect(page.locator("[data-available]").first).to_have_text("$5.00", timeout=60_000)
    expect(page.get_by_text("$0.50 is back in your wallet.")).to_be_visible()
    assert unreloaded()
    assert Verification.objects.get().status == "timed_out"
    books_are_right()


def test_a_cancelled_number_brings_its_money_back_at_once(live: LiveStack, page: Page, catalogue: None) -> None:
    expect = _expect()
    user = customer(cents=5_00)
    sign_in(page, user)
    buy(page, "Test Pending")
    page.get_by_role("button", name=re.compile("Cancel and get")).click()
    expect(page.get_by_text("$0.50 is back in your wallet.")).to_be_visible()
    expect(page.locator("[data-available]").first).to_have_text("$5.00")
    assert [row.amount for row in Transaction.objects.order_by("sequence")] == [500, -50, 50]
    books_are_right()


@pytest.mark.alone
def test_a_stopped_redis_shows_no_error_and_the_page_catches_up(
    live: LiveStack, page: Page, catalogue: None, console: Any, without_redis: Callable[..., Any]
) -> None:
    expect = _expect()
    user = customer(cents=5_00)
    sign_in(page, user)
    expect(page.locator("[data-realtime-state]")).to_have_attribute("data-realtime-state", "live")
    console.expect("WebSocket")
    with without_redis(seconds=10):
        buy(page, "Test Success")
        expect(page.locator("#number")).to_be_visible()
    expect(page.locator("#code")).to_have_text("123456", timeout=60_000)
    expect(page.locator("[data-available]").first).to_have_text("$4.50")
    page.goto("/notifications")
    for told in ("Verification Started", "Number Purchased", "Credits Deducted", "SMS Code Received!"):
        expect(page.get_by_text(told).first).to_be_visible()
    books_are_right()


@pytest.mark.viewport(360, 740)
def test_no_page_of_the_journey_is_wider_than_a_phone(live: LiveStack, page: Page, catalogue: None) -> None:
    user = customer(cents=5_00)
    sign_in(page, user)
    buy(page, "Test Pending")
    addresses = [page.url, "/", "/buy", "/buy/test_success", "/history", "/wallet", "/wallet/top-up", "/payments"]
    addresses += ["/notifications", "/activity", "/settings/profile", "/settings/security", "/settings/keys", "/help"]
    too_wide = []
    for address in addresses:
        page.goto(address)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            too_wide.append(address)
    assert too_wide == []


def confirmation_link(live: LiveStack, email: str) -> str:
    """From the mail page, as a person would."""
    message = until(lambda: next((m for m in live.sandbox.mail() if email in m["to"]), None), "the mail is there")
    link = next(link for link in message["links"] if "confirm" in link)
    return re.sub(r"^https?://[^/]+", live.url, link)


def mark_unreloaded(page: Page) -> Callable[[], bool]:
    """Puts a mark on the page that a reload would lose; the answer asks for it."""
    page.evaluate("window.stillTheSame = true")
    return lambda: bool(page.evaluate("window.stillTheSame === true"))


def books_are_right() -> None:
    """The product's own proofs; each raises SystemExit where something is off."""
    call_command("verify_wallets")
    call_command("reconcile_refunds", "--dry-run")
    assert Wallet.objects.filter(held__gt=0).count() == 0


def _expect() -> Any:
    from playwright.sync_api import expect

    return expect
