"""Pages that are open follow what happens, in a real browser: nothing is reloaded, and what they show adds up."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from accounts.models import User
from config.lib.unit_of_work import unit_of_work
from payments import services as payments
from tests.people import customer, sign_in
from verifications import services
from verifications.models import Verification
from wallet import services as wallets

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def user(live: LiveStack, page: Page) -> User:
    """Somebody with $5.00, signed in, and a shop with all its services."""
    services.sync_catalogue(now=timezone.now())
    user = customer(cents=5_00)
    sign_in(page, user)
    return user


def open_tab(page: Page, address: str) -> Page:
    """A tab whose socket is open, with a mark that a reload would lose."""
    tab = page.context.new_page()
    tab.goto(address)
    _expect()(tab.locator("[data-realtime-state]")).to_have_attribute("data-realtime-state", "live")
    tab.evaluate("window.stillTheSame = true")
    return tab


def sums(tab: Page) -> tuple[str, str, str]:
    card = tab.get_by_role("region", name="Balance")
    return tuple(card.locator(f"dd[data-{name}]").inner_text() for name in ("available", "balance", "held"))  # type: ignore[return-value]


def test_open_pages_follow_money_and_numbers_and_always_add_up(live: LiveStack, page: Page, user: User) -> None:
    expect = _expect()
    names = ("wallet", "history", "payments", "refunds", "activity")
    wallet, history, paid, refunded, events = (open_tab(page, f"/{name}") for name in names)

    set_aside(user, 1_00, "A number on its way")
    expect(wallet.locator("#held").get_by_text("A number on its way")).to_be_visible()
    assert sums(wallet) == ("$4.00", "$5.00", "$1.00")

    number = services.buy(user=user, service_name="test_pending").verification
    expect(history.get_by_role("link", name=re.compile("Test Pending.*Waiting"))).to_be_visible()
    expect(wallet.get_by_role("row", name=re.compile("Test Pending"))).to_be_visible()
    assert sums(wallet) == ("$3.50", "$4.50", "$1.00")
    history.get_by_role("link", name=re.compile("Test Pending")).focus()

    services.cancel(user=user, verification_id=number.pk)
    expect(history.get_by_role("link", name=re.compile("Test Pending.*Cancelled"))).to_be_focused()
    expect(refunded.get_by_role("link", name=re.compile("Test Pending"))).to_be_visible()
    expect(wallet.locator("dd[data-balance]")).to_have_text("$5.00")
    assert sums(wallet) == ("$4.00", "$5.00", "$1.00")
    expect(events.get_by_text("Number Purchased")).to_be_visible()

    payments.initiate(user=user, amount=20_00, now=timezone.now())
    expect(paid.get_by_role("link", name=re.compile(r"\$20\.00"))).to_be_visible()
    for tab in (wallet, history, paid, refunded, events):
        assert tab.evaluate("window.stillTheSame === true"), "a page was reloaded"


def test_the_start_page_keeps_a_code_at_hand_and_the_numbers_page_has_it_in_its_title(
    live: LiveStack, page: Page, user: User
) -> None:
    expect = _expect()
    home = open_tab(page, "/")
    number = services.buy(user=user, service_name="test_success").verification
    tab = open_tab(page, f"/verify/{number.pk}")
    expect(tab).to_have_title("123456 · Test Success", timeout=60_000)
    running = home.locator("#running")
    expect(running.get_by_text("123456")).to_be_visible()
    home.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    running.get_by_role("button", name=re.compile("Copy")).click()
    assert home.evaluate("window.copied") == "123456"
    tab.goto("/history")
    expect(tab.get_by_role("main").get_by_text("123456")).to_be_visible()

    # Its ten minutes are over: the page that is open lets it go by itself.
    Verification.objects.update(ended_at=timezone.now() - timedelta(seconds=598))
    set_aside(user, 1_00, "Anything")  # news of any kind draws the list anew
    services.buy(user=user, service_name="test_pending")
    expect(running.get_by_text("Test Pending")).to_be_visible()
    expect(running.get_by_text("123456")).to_have_count(0)


def test_a_number_that_can_not_be_given_back_yet_counts_down_once_in_its_button(
    live: LiveStack, page: Page, user: User, console: Any
) -> None:
    expect = _expect()
    number = services.buy(user=user, service_name="test_pending").verification
    detail = "This number can be given back in 10 seconds. Try again then."
    too_early = {"code": "too_early", "detail": detail, "retry_after": 10}
    page.route("**/cancel", lambda route: route.fulfill(status=409, json=too_early))
    console.expect("409")
    page.clock.install()
    page.goto(f"/verify/{number.pk}")
    page.clock.pause_at(timezone.now() + timedelta(seconds=60))
    button = page.locator("[data-cancel] button")
    expect(button).to_have_text("Cancel and get $0.50 back")
    button.click()
    expect(button).to_have_text("You can cancel in 0:10")
    expect(page.get_by_text("A new number can't be given back at once.")).to_be_visible()
    page.clock.run_for(5_000)
    expect(button).to_have_text("You can cancel in 0:05")
    assert re.findall(r"\d+ s\b|seconds", page.get_by_role("main").inner_text()) == []
    page.clock.run_for(6_000)
    expect(button).to_have_text("Cancel and get $0.50 back")
    expect(button).to_have_attribute("aria-disabled", "false")


def test_back_from_a_service_that_was_searched_for_shows_the_whole_shop(
    live: LiveStack, page: Page, user: User
) -> None:
    expect = _expect()
    page.goto("/buy")
    page.get_by_label("Search services").fill("Test Pend")
    page.wait_for_url("**/buy?q=Test*")
    page.get_by_role("link", name=re.compile("Test Pending")).click()
    page.get_by_role("button", name="Buy for $0.50").wait_for()
    page.go_back()
    expect(page.get_by_role("heading", name="Buy a number", level=1)).to_be_visible()


def test_an_area_code_that_was_typed_and_not_priced_buys_nothing_yet(live: LiveStack, page: Page, user: User) -> None:
    expect = _expect()
    page.goto("/buy/test_pending")
    page.get_by_label("Choose an area code").fill("212")
    page.get_by_role("button", name="Buy for $0.50").click()
    expect(page.get_by_text("with area code 212")).to_be_visible()
    assert not Verification.objects.exists()
    page.get_by_role("button", name=re.compile("Buy for")).click()
    page.wait_for_url(re.compile("/verify/"))
    assert Verification.objects.get().area_code == "212"


def set_aside(user: User, cents: int, description: str) -> None:
    with unit_of_work():
        wallets.hold(user=user, amount=cents, reference=f"test:{description}", description=description)


def _expect() -> Any:
    from playwright.sync_api import expect

    return expect
