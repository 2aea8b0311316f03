"""The whole journey by keyboard alone: no click, no pointer, and the focus is always to be seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from tests.people import PASSWORD, customer
from verifications import services as verifications
from verifications.models import Verification

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const label = element.labels && element.labels.length ? element.labels[0].innerText : "";
  const style = getComputedStyle(element);
  const box = element.matches("input[type=radio]") ? element.closest("label") : element;
  return {
    words: [element.getAttribute("aria-label") || "", label, element.innerText || "", element.value || ""].join(" "),
    outline: getComputedStyle(box).outlineStyle !== "none" && parseFloat(getComputedStyle(box).outlineWidth) > 1,
  };
}"""


class Keyboard:
    """A reader who has nothing but keys."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def to(self, words: str, *, most: int = 90) -> None:
        """Tab on until the focus is on what has these words; where it goes, it must be seen."""
        self.page.wait_for_load_state()  # what is typed before the style sheets are there is seen without them
        seen = []
        for _step in range(most):
            self.press("Tab")
            focused = self.page.evaluate(FOCUSED)
            if focused is None:
                continue
            seen.append(focused["words"].strip()[:40])
            assert focused["outline"], f"the focus can't be seen on {seen[-1]!r}"
            if re.search(words, focused["words"]):
                return
        raise AssertionError(f"{words!r} is not reached by Tab, but: {seen}")

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)


@pytest.fixture
def catalogue(live: LiveStack) -> None:
    verifications.sync_catalogue(now=timezone.now())


def test_from_signing_in_to_the_code_and_to_a_refund_by_keyboard_alone(
    live: LiveStack, page: Page, catalogue: None
) -> None:
    from playwright.sync_api import expect

    user, keys = customer(cents=5_00), Keyboard(page)
    page.goto("/")
    keys.to("Sign in")
    keys.press("Enter")
    page.wait_for_url("**/account/login/**")
    keys.to("E-?mail")
    keys.type(user.email)
    keys.to("Password")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()

    # Straight to the content, past the menus.
    keys.to("Skip to content")
    keys.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    # Top up, and back from the checkout.
    keys.to("Top up")
    keys.press("Enter")
    page.wait_for_url("**/wallet/top-up")
    keys.to(r"\$20")
    keys.press("ArrowRight")
    expect(page.get_by_label("$50.00")).to_be_checked()
    keys.to("Continue to payment")
    keys.press("Enter")
    page.wait_for_url(re.compile("/checkout/"))
    to_the_button(page, "Pay")
    keys.press("Enter")
    expect(page.get_by_text("$50.00 is in your wallet.")).to_be_visible()

    # Buy: the search has the focus from the start.
    keys.to("Buy a number")
    keys.press("Enter")
    page.wait_for_url("**/buy")
    expect(page.get_by_label("Search services")).to_be_focused()
    keys.type("Test Success")
    expect(page.locator("#services a")).to_have_count(1)
    keys.to("Test Success\n")
    keys.press("Enter")
    page.wait_for_url("**/buy/test_success")
    keys.to(r"Buy for \$0.50")
    keys.press("Enter")
    page.wait_for_url(re.compile("/verify/"))
    keys.to("the number")
    keys.press("Enter")
    expect(page.locator("[data-said]")).to_have_text("Copied")
    expect(page.locator("#code")).to_have_text("123456", timeout=60_000)
    expect(page.locator("#live-words")).to_contain_text("123456")
    keys.to("the code")
    keys.press("Enter")

    # Another one, given back.
    page.goto("/buy/test_pending")
    keys.to("Buy for")
    keys.press("Enter")
    page.wait_for_url(re.compile("/verify/"))
    keys.to("Cancel and get")
    keys.press("Enter")
    expect(page.get_by_text("$0.50 is back in your wallet.")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "live", "the focus stays where the news is"
    assert sorted(Verification.objects.values_list("status", flat=True)) == ["cancelled", "completed"]


def test_the_panel_of_the_bell_opens_holds_the_focus_and_gives_it_back(live: LiveStack, page: Page) -> None:
    from playwright.sync_api import expect

    from tests.people import sign_in

    keys = Keyboard(page)
    sign_in(page, customer(cents=5_00))
    page.goto("/help")
    keys.to("Notifications")
    keys.press("Enter")
    panel = page.get_by_role("dialog")
    expect(panel.get_by_text("Credits Added")).to_be_visible()
    for _step in range(8):
        keys.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    keys.press("Escape")
    expect(panel).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('[data-bell]')")


@pytest.mark.viewport(360, 740)
def test_the_sheet_of_more_opens_and_closes_by_keyboard_on_a_phone(live: LiveStack, page: Page) -> None:
    from playwright.sync_api import expect

    from tests.people import sign_in

    keys = Keyboard(page)
    sign_in(page, customer())
    sheet = page.locator("#more")
    keys.to("^ *More")
    keys.press("Enter")
    expect(sheet).to_be_visible()
    keys.press("Escape")
    expect(sheet).to_be_hidden()
    keys.press("Enter")
    keys.to("Activity")
    keys.press("Enter")
    page.wait_for_url("**/activity")


def test_the_theme_is_chosen_by_keyboard_and_kept(live: LiveStack, page: Page) -> None:
    from playwright.sync_api import expect

    keys = Keyboard(page)
    page.emulate_media(color_scheme="light")
    page.goto("/help")
    keys.to("Dark")
    keys.press("Enter")
    assert background(page) == "rgb(17, 19, 17)"
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert background(page) == "rgb(17, 19, 17)"
    keys.to("Match system")
    keys.press("Enter")
    assert background(page) == "rgb(246, 246, 242)"


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def to_the_button(page: Page, name: str) -> None:
    """On the payment partner's page, whose looks are not ours."""
    button: Any = page.get_by_role("button", name=re.compile(name)).first
    for _step in range(30):
        page.keyboard.press("Tab")
        if button.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{name!r} is not reached by Tab")
