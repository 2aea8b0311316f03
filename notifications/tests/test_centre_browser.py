"""The centre in a real browser: the keyboard, the selection, more as one scrolls, and what comes meanwhile."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.tests.factories import make_user
from activity.tests.factories import happened
from dev.testing.browser import Console
from dev.testing.live import LiveStack
from notifications.inbox import selectors
from notifications.models import Inbox
from notifications.tests.sockets import announce, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EVENT = "verification_progress"


@pytest.fixture
def user(live: LiveStack) -> User:
    return make_user()


@pytest.fixture
def centre(page: Page, live: LiveStack, user: User) -> Page:
    """The page of a customer with sixty notifications."""
    for number in range(60):
        happened(user, EVENT, service="Telegram" if number == 30 else "WhatsApp")
    page.context.add_cookies([{"name": "sessionid", "value": sign_in(user), "url": live.url}])
    page.goto("/notifications")
    expect(page.locator("[data-realtime-state]")).to_have_attribute("data-realtime-state", "live")
    return page


def test_more_comes_as_one_scrolls_and_stays_when_something_is_read_elsewhere(centre: Page, user: User) -> None:
    rows = centre.locator(".inbox-row")
    expect(rows).to_have_count(25)
    while (had := rows.count()) < 60:
        centre.evaluate("scrollTo(0, document.documentElement.scrollHeight)")  # to no row: they may be drawn anew now
        expect(rows).not_to_have_count(had)
    expect(centre.get_by_role("heading", name="Today")).to_have_count(1)
    rows.nth(50).get_by_role("checkbox").check()
    announce(user)
    expect(rows).to_have_count(60)  # drawn anew, as many as there were, the new one on top
    expect(rows.first).to_have_attribute("data-seq", "61")
    expect(rows.nth(51).get_by_role("checkbox")).to_be_checked()


def test_by_keyboard_alone_rows_are_walked_selected_and_archived(centre: Page, user: User) -> None:
    centre.keyboard.press("/")
    expect(centre.get_by_label("Search notifications")).to_be_focused()
    centre.keyboard.press("ArrowDown")
    rows = centre.locator(".inbox-row")
    expect(rows.nth(0).locator(".list-row")).to_be_focused()
    centre.keyboard.press("ArrowDown")
    expect(rows.nth(1).locator(".list-row")).to_be_focused()
    centre.keyboard.press("x")
    expect(rows.nth(1).get_by_role("checkbox")).to_be_checked()
    expect(centre.locator("[data-selected]")).to_have_text("1 selected")
    centre.keyboard.press("Escape")
    expect(rows.nth(1).get_by_role("checkbox")).not_to_be_checked()
    centre.keyboard.press("e")
    expect(centre.locator('.inbox-row[data-seq="59"]')).to_have_count(0)
    expect(centre.locator("[data-said]")).to_have_text("1 notification archived.")
    expect(rows.nth(1).locator(".list-row")).to_be_focused()
    expect(rows.nth(1)).to_have_attribute("data-seq", "58")
    assert [row.seq for row in selectors.archived(user=user)] == [59]


def test_the_search_finds_as_one_types_and_all_that_is_found_is_read(centre: Page, user: User) -> None:
    centre.get_by_label("Search notifications").fill("telegram")
    rows = centre.locator(".inbox-row")
    expect(rows).to_have_count(1)
    expect(centre).to_have_url(re.compile(r"/notifications\?q=telegram"))
    centre.get_by_role("button", name="Mark these as read").click()
    expect(centre.locator(".inbox-unread")).to_have_count(0)
    expect(centre.locator("[data-unread-badge]")).to_have_text("59")
    assert Inbox.objects.get(user=user).unread == 59


def test_deleting_what_is_selected_is_asked_about_once(centre: Page, user: User) -> None:
    centre.get_by_label("Select all that are shown").check()
    expect(centre.locator("[data-selected]")).to_have_text("25 selected")
    centre.get_by_role("button", name="Delete").click()
    question = centre.get_by_role("dialog")
    expect(question).to_contain_text("This can't be undone")
    announce(user)
    expect(centre.locator("[data-unread-badge]")).to_have_text("61")  # what comes meanwhile waits for the answer
    expect(centre.locator(".inbox-row").first).to_have_attribute("data-seq", "60")
    question.get_by_role("button", name="Delete").click()
    expect(centre.locator(".inbox-row").nth(1)).to_have_attribute("data-seq", "35")
    expect(centre.locator(".inbox-row").first).to_have_attribute("data-seq", "61")
    assert selectors.visible(user=user).count() == 36


def test_a_row_leads_to_what_it_is_about_and_is_read(centre: Page, user: User) -> None:
    centre.locator(".inbox-row .list-row").first.click()
    expect(centre).not_to_have_url(re.compile("/notifications"))
    assert Inbox.objects.get(user=user).unread == 59


def test_the_panel_reads_everything_without_leaving_the_page(centre: Page, user: User) -> None:
    centre.goto("/help")
    centre.locator("[data-bell]").click()
    panel = centre.get_by_role("dialog")
    panel.get_by_role("button", name="Mark all as read").click()
    expect(panel.get_by_role("button", name="Mark all as read")).to_have_count(0)
    expect(centre).to_have_url(re.compile("/help"))
    centre.keyboard.press("ArrowDown")
    expect(panel.locator(".list-row").first).to_be_focused()
    assert Inbox.objects.get(user=user).unread == 0


def test_e_archives_all_that_is_selected_and_is_not_offered_among_the_archived(centre: Page, user: User) -> None:
    rows, archive = (
        centre.locator(".inbox-row"),
        centre.locator(".keys", has_text="archive").locator("[data-key-archive]"),
    )
    expect(archive).to_be_visible()
    centre.keyboard.press("ArrowDown")
    for key in ("x", "ArrowDown", "ArrowDown", "x"):
        centre.keyboard.press(key)
    expect(centre.locator("[data-selected]")).to_have_text("2 selected")
    centre.keyboard.press("ArrowDown")
    centre.keyboard.press("e")  # what is selected, wherever the focus is
    expect(centre.locator("[data-said]")).to_have_text("2 notifications archived.")
    expect(centre.locator('.inbox-row[data-seq="60"], .inbox-row[data-seq="58"]')).to_have_count(0)
    expect(centre.locator('.inbox-row[data-seq="59"], .inbox-row[data-seq="57"]')).to_have_count(2)
    expect(centre.locator("[data-selected]")).to_have_text("")
    centre.get_by_role("link", name="Archived").click()
    expect(rows).to_have_count(2)
    expect(centre.locator(".keys", has_text="select")).to_be_visible()
    expect(archive).to_be_hidden()


def test_the_panel_that_could_not_load_says_so_and_is_tried_again(centre: Page, user: User, console: Console) -> None:
    console.expect("ERR_FAILED|Failed to fetch")
    centre.goto("/help")
    expect(centre.locator("[data-realtime-state]")).to_have_attribute("data-realtime-state", "live")
    centre.route("**/notifications?panel=1", lambda route: route.abort())
    centre.locator("[data-bell]").click()
    panel = centre.get_by_role("dialog")
    expect(panel.get_by_role("alert")).to_contain_text("Your notifications couldn't be loaded")
    expect(panel.locator(".empty .icon")).to_be_visible()
    centre.unroute("**/notifications?panel=1")
    panel.get_by_role("button", name="Try again").click()
    expect(panel.locator(".inbox-row")).to_have_count(15)
    expect(panel.get_by_role("alert")).to_have_count(0)
