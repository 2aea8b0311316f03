"""axe on sign-in, second factor and addresses, on refused forms and on error pages: nothing at WCAG 2.1 AA."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

from tests.people import PASSWORD, customer, sign_in
from tests.test_accessibility import SIZES, Auditor

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OUTSIDE = [
    "/account/confirm-email/",
    "/account/confirm-email/nothing/",
    "/account/inactive/",
    "/account/password/reset/done/",
    "/account/password/reset/key/1-nothing/",
    "/account/password/reset/key/done/",
    "/help#refunds",
    "/help#too_early",
]


@pytest.fixture
def audit(new_page: Callable[..., Page], console: Any) -> Callable[[tuple[int, int]], Auditor]:
    console.expect("403")  # of the form whose token is wrong
    return lambda size: Auditor(new_page(viewport=size))


def send(page: Page, button: str) -> None:
    """Past the browser's own check of the fields, to see ours."""
    page.evaluate("for (const form of document.forms) form.noValidate = true")
    page.locator("main").get_by_role("button", name=button, exact=True).click()
    page.locator(".field .error").first.wait_for()


def code_of(secret: str) -> str:
    now = list(yield_hotp_counters_from_time())
    return format_hotp_value(hotp_value(secret, now[len(now) // 2]))


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_on_the_way_in(
    live: LiveStack, audit: Callable[[tuple[int, int]], Auditor], size: tuple[int, int]
) -> None:
    auditor = audit(size)
    page = auditor.page
    auditor.visit(*OUTSIDE)
    assert page.locator("#too_early").is_visible(), "a link to a code opens the list that it stands in"
    for address, button in (
        ("/account/signup/", "Create account"),
        ("/account/login/", "Sign in"),
        ("/account/password/reset/", "Send the link"),
    ):
        page.goto(address)
        send(page, button)
        auditor.look(f"{address}, refused")
    page.goto("/account/signup/")
    page.get_by_label("Password").fill("to be seen")
    page.get_by_role("button", name="Show Password").click()
    assert page.get_by_label("Password").get_attribute("type") == "text"
    auditor.look("a password that is shown")
    assert auditor.complaints == []


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_while_a_second_factor_is_set_up_and_used(
    live: LiveStack, audit: Callable[[tuple[int, int]], Auditor], size: tuple[int, int], new_page: Callable[..., Page]
) -> None:
    auditor, user = audit(size), customer()
    page = auditor.page
    sign_in(page, user)
    auditor.visit("/account/logout/", "/account/2fa/totp/activate/")
    page.get_by_label("Password").fill("wrong")
    send(page, "Confirm")
    auditor.look("a refused password")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    secret = page.locator("#authenticator_secret").get_attribute("data-value") or ""
    send(page, "Turn on")
    auditor.look("a second factor without its code")
    page.get_by_label("Code from the app").fill(code_of(secret))
    page.get_by_role("button", name="Turn on").click()
    page.get_by_text("Two-factor authentication is on. Save these codes now.").wait_for()
    auditor.look("the first recovery codes")
    auditor.visit("/account/2fa/", "/account/2fa/recovery-codes/generate/", "/account/2fa/totp/deactivate/")
    auditor.visit("/account/2fa/reauthenticate/", "/settings/security")

    stranger = Auditor(new_page(viewport=size))
    stranger.page.goto("/account/login/")
    stranger.page.get_by_label("E-mail address").fill(user.email)
    stranger.page.get_by_label("Password").fill(PASSWORD)
    stranger.page.get_by_role("button", name="Sign in").click()
    stranger.page.get_by_role("heading", name="Enter your code").wait_for()
    send(stranger.page, "Sign in")
    stranger.look("a sign-in without its code")
    assert auditor.complaints + stranger.complaints == []


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_on_refused_settings_and_error_pages(
    live: LiveStack, audit: Callable[[tuple[int, int]], Auditor], size: tuple[int, int]
) -> None:
    auditor = audit(size)
    page = auditor.page
    sign_in(page, customer())
    for address, button in (
        ("/settings/keys", "Create key"),
        ("/account/password/change/", "Change password"),
        ("/account/email/", "Add address"),
    ):
        page.goto(address)
        send(page, button)
        auditor.look(f"{address}, refused")
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(too_wide), address
    page.goto("/settings/profile")
    page.evaluate("document.querySelector('main [name=csrfmiddlewaretoken]').value = 'another'")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="This page expired").wait_for()
    auditor.look("a form that was open for too long")
    page.get_by_role("link", name="Open the page again").click()
    page.wait_for_url(re.compile("/settings/profile$"))
    assert auditor.complaints == []
