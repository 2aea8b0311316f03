"""The page's side, in a real browser."""

from pathlib import Path
from unittest import mock

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from accounts.tests.factories import make_user
from activity.events import INSTANT_REFUND
from activity.services import record
from config.lib.unit_of_work import unit_of_work
from notifications.inbox.services import mark_read
from notifications.models import Notification
from notifications.tests.sockets import announce, sign_in
from wallet.tests.factories import funded

pytestmark = pytest.mark.browser
SCRIPTS = Path(__file__).parents[2] / "static" / "js"


def test_what_session_js_promises(browser: Browser):
    """No server: the module alone."""
    files = {
        "/": ("text/html", "<!doctype html><title>session.js</title>"),
        "/session.js": ("text/javascript", (SCRIPTS / "session.js").read_text()),
        "/tests.js": ("text/javascript", (Path(__file__).parent / "session_tests.js").read_text()),
    }

    def answer(route: Route) -> None:
        kind, body = files[route.request.url.removeprefix("http://session.test")]
        route.fulfill(body=body, content_type=kind)

    page = browser.new_page()
    page.route("http://session.test/**", answer)
    page.goto("http://session.test/")
    outcome = page.evaluate("import('/tests.js').then((tests) => tests.run())")
    page.close()
    assert outcome["failures"] == []
    assert outcome["ran"] > 20


@pytest.fixture
def user(live):
    return make_user()


@pytest.fixture
def tab(page: Page, live, user) -> Page:
    """A tab of the signed-in customer."""
    page.context.add_cookies([{"name": "sessionid", "value": sign_in(user), "url": live.url}])
    return page


def opened(page: Page) -> Page:
    page.goto("/help")
    expect(page.locator("[data-realtime-state]")).to_have_attribute("data-realtime-state", "live")
    return page


def state(page: Page):
    return expect(page.locator("[data-realtime-state]"))


def refund(user) -> None:
    """A critical event."""
    data = {"amount": "2.00", "reason": "timeout", "balance": "2.00", "service": "WhatsApp", "reference": "r"}
    with unit_of_work():
        record(event=INSTANT_REFUND, user=user, data={**data, "transaction": "1"})


def test_two_tabs_show_balance_badge_and_toast_of_the_same_event(tab, user):
    other = opened(tab.context.new_page())
    opened(tab)
    funded(user, 20_00)
    for page in (tab, other):
        expect(page.locator("[data-available]")).to_have_text("$20.00")
        expect(page.locator("[data-unread-badge]")).to_have_text("1")
        expect(page.locator(".toast")).to_have_count(1)
        expect(page.locator(".toast")).to_contain_text("Credits Added")


def test_reading_in_one_tab_clears_the_badge_of_the_other(tab, user):
    announce(user, 2)
    opened(tab)
    expect(tab.locator("[data-unread-badge]")).to_have_text("2")
    mark_read(user=user, all=True)
    expect(tab.locator("[data-unread-badge]")).to_be_hidden()


def test_medium_news_change_the_badge_without_a_toast(tab, user):
    opened(tab)
    announce(user)
    expect(tab.locator("[data-unread-badge]")).to_have_text("1")
    refund(user)
    expect(tab.locator(".toast", has_text="Instant Refund")).to_be_visible()
    assert tab.locator(".toast").count() == 1


def test_critical_news_interrupt_a_screen_reader_and_others_wait(tab, user):
    opened(tab)
    refund(user)
    funded(user, 1_00)
    expect(tab.locator("[role=alert] .toast")).to_have_count(1)
    expect(tab.locator("[role=status] .toast")).to_have_count(1)


def test_four_toasts_at_once_and_the_next_when_one_is_dismissed(tab, user):
    opened(tab)
    for _ in range(6):
        funded(user, 1_00)
    expect(tab.locator("[data-unread-badge]")).to_have_text("6")
    expect(tab.locator(".toast")).to_have_count(4)
    for left in (4, 4, 3):
        tab.get_by_role("button", name="Dismiss").first.click()
        expect(tab.locator(".toast")).to_have_count(left)


def test_a_toast_leaves_by_itself_but_not_while_it_is_pointed_at(tab, user):
    tab.clock.install()
    opened(tab)
    funded(user, 1_00)
    toast = tab.locator(".toast")
    expect(toast).to_have_count(1)
    toast.hover()
    tab.clock.fast_forward(60_000)
    expect(toast).to_have_count(1)
    tab.mouse.move(5, 5)
    tab.clock.fast_forward(10_000)
    expect(toast).to_have_count(0)


def test_a_toast_waits_while_it_has_the_focus_and_escape_dismisses_it(tab, user):
    tab.clock.install()
    opened(tab)
    funded(user, 1_00)
    toast = tab.locator(".toast")
    toast.get_by_role("button").focus()
    tab.clock.fast_forward(60_000)
    expect(toast).to_have_count(1)
    tab.keyboard.press("Escape")
    expect(toast).to_have_count(0)


def test_a_page_that_was_drawn_before_an_event_catches_up_when_it_connects(tab, user):
    def meanwhile(route: Route) -> None:
        """The page is there, and its script on the way."""
        funded(user, 3_00)
        route.continue_()

    tab.route("**/realtime.js", meanwhile, times=1)
    opened(tab)
    expect(tab.locator("[data-available]")).to_have_text("$3.00")
    expect(tab.locator("[data-unread-badge]")).to_have_text("1")
    expect(tab.locator(".toast")).to_have_count(1)


def test_without_a_socket_the_page_polls_and_goes_back_when_it_can(tab, user, console):
    console.expect("WebSocket")
    blocked = [True]

    def socket(route) -> None:
        if blocked[0]:
            route.close(code=1013)
        else:
            route.connect_to_server()

    tab.route_web_socket("**/ws/notifications/*", socket)
    tab.goto("/help")
    state(tab).to_have_attribute("data-realtime-state", "polling", timeout=60_000)
    funded(user, 4_00)
    expect(tab.locator("[data-available]")).to_have_text("$4.00", timeout=60_000)
    expect(tab.locator("[data-unread-badge]")).to_have_text("1")
    blocked[0] = False
    state(tab).to_have_attribute("data-realtime-state", "live", timeout=60_000)
    funded(user, 1_00)
    expect(tab.locator("[data-available]")).to_have_text("$5.00")


def test_offline_is_shown_and_what_was_missed_comes_back(tab, user, console):
    console.expect("ERR_INTERNET_DISCONNECTED")
    opened(tab)
    tab.context.set_offline(True)
    state(tab).to_have_attribute("data-realtime-state", "offline")
    funded(user, 6_00)
    tab.context.set_offline(False)
    state(tab).to_have_attribute("data-realtime-state", "live")
    expect(tab.locator("[data-available]")).to_have_text("$6.00")
    expect(tab.locator("[data-unread-badge]")).to_have_text("1")


def test_a_lost_hint_is_found_by_the_next_ping(tab, user, live):
    opened(tab)
    with mock.patch("notifications.realtime.publish.send"):
        funded(user, 7_00)
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(tab.locator("[data-available]")).to_have_text("$7.00")
    assert Notification.objects.filter(user=user).count() == 1
    expect(tab.locator("[data-unread-badge]")).to_have_text("1")


def test_a_session_that_ended_stops_the_page(tab, user, console):
    from django.contrib.sessions.models import Session

    console.expect("401|403|WebSocket")
    opened(tab)
    Session.objects.all().delete()
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    state(tab).to_have_attribute("data-realtime-state", "offline")


def test_signing_out_in_one_tab_is_said_in_the_other_before_its_next_ping(tab, user, console):
    console.expect("401|403|WebSocket")
    opened(tab)
    state(tab).to_have_attribute("data-realtime-state", "live")
    elsewhere = tab.context.new_page()
    elsewhere.goto("/help")
    elsewhere.get_by_role("button", name="Sign out").first.click()
    expect(tab.locator("#signed-out")).to_be_visible(timeout=15_000)
    expect(tab.get_by_role("link", name="Sign in again")).to_be_visible()
