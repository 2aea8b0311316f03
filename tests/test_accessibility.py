"""axe on every page of a customer, in its states, light and dark, on a phone and on a desk: nothing at WCAG 2.1 AA."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from payments import services as payments
from refunds.models import Refund
from tests.people import PASSWORD, customer, sign_in
from verifications import services as verifications

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from accounts.models import User
    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIGHT = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], "resultTypes": ["violations"]}
DARK = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}  # all that the colours can change
SIZES = [pytest.param((360, 740), id="360"), pytest.param((1440, 900), id="1440")]

STRANGER = ["/", "/help", "/policy", "/nothing-here", "/account/login/", "/account/signup/", "/account/password/reset/"]
EVERYONE = [
    "/",
    "/buy",
    "/buy?q=zzzz",
    "/buy/test_success",
    "/history",
    "/wallet",
    "/wallet/top-up",
    "/payments",
    "/refunds",
    "/notifications",
    "/activity",
]
OLD_HAND = [
    "/notifications?state=unread",
    "/notifications?state=archived",
    "/notifications?q=zzzz",
    "/notifications?category=wallet&sort=oldest&end=2000-01-01",
    "/wallet?type=credit",
    "/activity?type=refund",
    "/history?q=zzzz",
    "/settings/profile",
    "/settings/security",
    "/settings/keys",
    "/account/password/change/",
    "/account/email/",
    "/account/2fa/",
    "/account/sessions/",
    "/help",
    "/policy",
    "/nothing-here",
]


class Auditor:
    """Runs axe on what a page shows, light and dark, and keeps what it says."""

    def __init__(self, page: Page) -> None:
        from axe_playwright_python.sync_playwright import Axe

        self.page, self.axe = page, Axe()
        self.complaints: list[str] = []

    def visit(self, *addresses: str) -> None:
        for address in addresses:
            self.page.goto(address)
            self.look(address)

    def look(self, what: str) -> None:
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        self._note(f"{what} (light)", self.axe.run(self.page, options=LIGHT).response)
        self.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        self._note(f"{what} (dark)", self.page.evaluate("options => axe.run(options)", DARK))

    def _note(self, what: str, answer: dict[str, Any]) -> None:
        for violation in answer["violations"]:
            for node in violation["nodes"]:
                self.complaints.append(f"{what}: {violation['id']}: {node['html'][:160]}")


@pytest.fixture
def catalogue(live: LiveStack) -> None:
    verifications.sync_catalogue(now=timezone.now())


@pytest.fixture
def audit(new_page: Callable[..., Page], console: Any) -> Callable[[tuple[int, int]], Auditor]:
    console.expect("404")  # of the page that isn't there
    console.expect("400")  # of the form that is refused
    console.expect("ERR_INTERNET_DISCONNECTED")  # of the line that is cut
    return lambda size: Auditor(new_page(viewport=size))


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_where_a_stranger_comes(
    live: LiveStack, audit: Callable[[tuple[int, int]], Auditor], size: tuple[int, int]
) -> None:
    auditor = audit(size)
    auditor.visit(*STRANGER)
    auditor.page.goto("/account/login/")
    auditor.page.get_by_label(re.compile("^E-?mail", re.IGNORECASE)).fill("nobody@example.test")
    auditor.page.get_by_label("Password").fill("wrong-password")
    with auditor.page.expect_navigation():
        auditor.page.get_by_role("button", name="Sign in").click()
    auditor.look("a refused sign-in")
    assert auditor.complaints == []


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_where_all_is_empty(
    live: LiveStack, audit: Callable[[tuple[int, int]], Auditor], size: tuple[int, int]
) -> None:
    auditor = audit(size)
    sign_in(auditor.page, customer())
    auditor.visit("/", "/buy", "/history", "/wallet", "/payments", "/refunds", "/notifications", "/activity")
    assert auditor.complaints == []


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_where_much_has_happened(
    live: LiveStack, audit: Callable[[tuple[int, int]], Auditor], catalogue: None, size: tuple[int, int]
) -> None:
    auditor, user = audit(size), customer(cents=20_00)
    numbers, paid = lived(live, user)
    page = auditor.page
    sign_in(page, user)
    details = [*(f"/verify/{number}" for number in numbers), f"/payments/{paid}"]
    details += [f"/refunds/{refund.reference}" for refund in Refund.objects.filter(user=user)[:1]]
    auditor.visit(*EVERYONE, *OLD_HAND, *details)

    page.goto("/wallet/top-up")
    page.get_by_label("Or another amount").fill("1")
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("alert").filter(has_text="$5.00").wait_for()
    auditor.look("a refused top-up")

    page.goto("/help")
    page.locator("[data-bell]").click()
    page.get_by_role("dialog").locator("[data-notification]").first.wait_for()
    auditor.look("the panel of the bell")
    page.keyboard.press("Escape")

    page.goto("/settings/keys")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name="Confirm it's you").wait_for()
    auditor.look("the password once more")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.locator("#new-key-value").wait_for()
    auditor.look("a new key")
    page.get_by_role("button", name="Revoke").first.click()
    page.get_by_role("dialog").wait_for()
    auditor.look("a question")
    page.keyboard.press("Escape")

    if size[0] < 1024:
        page.get_by_role("button", name="More").click()
        auditor.look("the sheet of more")
    page.goto("/help")
    page.context.set_offline(True)
    page.locator("#offline").wait_for()
    auditor.look("offline")
    page.context.set_offline(False)
    assert auditor.complaints == []


def lived(live: LiveStack, user: User) -> tuple[list[str], str]:
    """One number of each kind of end, and a payment: their addresses."""
    kinds = ("test_success", "test_pending", "test_pending")
    done, cancelled, waiting = (verifications.buy(user=user, service_name=kind).verification for kind in kinds)
    live.sandbox.sms(done.phone_number, "Your code is 123456")
    verifications.poll_due(now=timezone.now() + timedelta(seconds=5))
    verifications.cancel(user=user, verification_id=cancelled.pk)
    payment = payments.initiate(user=user, amount=20_00, now=timezone.now()).payment
    return [str(number.pk) for number in (done, cancelled, waiting)], payment.reference
