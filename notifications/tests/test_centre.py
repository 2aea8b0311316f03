"""The centre's page: what it lists, in pages without holes, and what is done with many at once."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from activity.tests.factories import happened
from notifications.inbox import selectors, services
from notifications.models import Inbox, Notification
from notifications.tests.sockets import sign_in

pytestmark = pytest.mark.django_db
EVENT = "verification_progress"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def browser(user: User) -> Client:
    client = Client()
    client.cookies["sessionid"] = sign_in(user)  # without the news of a new sign-in
    return client


def notified(user: User, times: int) -> list[Notification]:
    """So many notifications, oldest first."""
    return [happened(user, EVENT).notification for _ in range(times)]


def seen(answer: Any) -> list[int]:
    """The seqs that a page shows, from top to bottom."""
    return [int(seq) for seq in re.findall(r'data-notification="\d+" data-seq="(\d+)"', answer.content.decode())]


def everything(browser: Client, address: str) -> list[int]:
    """What all pages show one after the other, by their links, without and with htmx alike."""
    found, pages = [], 0
    link = address
    while link:
        page = browser.get(link, headers=HTMX if pages else {})
        found += seen(page)
        older = re.search(r'href="\?([^"]*from=[^"]*)" rel="next"', page.content.decode())
        link = "/notifications?" + older[1].replace("&amp;", "&") if older else ""
        pages += 1
    return found


@pytest.mark.parametrize("sort", ["newest", "oldest", "unread"])
def test_pages_follow_each_other_without_holes_in_every_order(user: User, browser: Client, sort: str) -> None:
    rows = notified(user, 60)
    read = {row.seq for row in rows[::7]}
    services.mark_read(user=user, ids=[row.pk for row in rows[::7]])
    newest = [row.seq for row in reversed(rows)]
    expected = {
        "newest": newest,
        "oldest": newest[::-1],
        "unread": [seq for seq in newest if seq not in read] + [seq for seq in newest if seq in read],
    }
    assert everything(browser, f"/notifications?sort={sort}") == expected[sort]


def test_a_day_that_the_page_above_has_begun_has_no_second_heading(user: User, browser: Client) -> None:
    notified(user, 30)
    first = browser.get("/notifications").content.decode()
    link = re.search(r'hx-get="([^"]+from=[^"]+)"', first)
    assert link is not None
    more = browser.get(link[1].replace("&amp;", "&"), headers=HTMX).content.decode()
    assert ("Today" in first, "Today" in more, more.count("inbox-row")) == (True, False, 5)
    assert "Today" in browser.get(link[1].replace("&amp;", "&")).content.decode(), "by itself it needs one"


def test_without_scripts_an_older_page_has_a_way_back_that_keeps_the_filters(user: User, browser: Client) -> None:
    notified(user, 26)
    first = browser.get("/notifications?category=verification")
    assert "Newest</a>" not in first.content.decode()
    older = browser.get(f"/notifications?{first.context['older']}").content.decode()
    assert 'href="/notifications?category=verification">Newest</a>' in older


def test_a_page_is_drawn_anew_with_as_many_rows_as_it_shows(user: User, browser: Client) -> None:
    notified(user, 60)
    sizes = [len(seen(browser.get(f"/notifications?shown={shown}"))) for shown in ("50", "3", "-1", "x", "99999")]
    assert sizes == [50, 25, 25, 25, 60]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=unread", [3, 2]),
        ("state=read", [1]),
        ("state=archived", [4]),
        ("q=telegram", [2]),
        ("q=nothing", []),
        ("category=security", []),
        ("category=verification&state=unread&sort=oldest", [2, 3]),
        ("start=2000-01-01&end=2000-01-02", []),
        ("category=nonsense&state=nonsense&start=nonsense&sort=nonsense&from=nonsense", [3, 2, 1]),
    ],
)
def test_filters(user: User, browser: Client, query: str, shown: list[int]) -> None:
    rows = [
        happened(user, EVENT).notification,
        happened(user, EVENT, service="Telegram").notification,
        *notified(user, 2),
    ]
    services.mark_read(user=user, ids=[rows[0].pk])
    services.archive(user=user, ids=[rows[3].pk])
    assert seen(browser.get(f"/notifications?{query}")) == shown


def test_the_end_day_is_inside(user: User, browser: Client) -> None:
    notified(user, 1)
    today = timezone.localdate()
    assert seen(browser.get(f"/notifications?start={today}&end={today}")) == [1]
    assert seen(browser.get(f"/notifications?end={today - timedelta(days=1)}")) == []


def test_htmx_gets_the_list_alone_and_the_address_without_what_is_empty(user: User, browser: Client) -> None:
    notified(user, 1)
    answer = browser.get("/notifications?q=&state=unread&start=&sort=newest", headers=HTMX)
    assert answer["HX-Push-Url"] == "/notifications?state=unread&sort=newest"
    assert ("<html" in answer.content.decode(), seen(answer)) == (False, [1])


@pytest.mark.parametrize(("verb", "left"), [("read", 2), ("archive", 1), ("delete", 1)])
def test_some_that_are_selected(user: User, browser: Client, verb: str, left: int) -> None:
    first, second = notified(user, 2)
    stranger = notified(make_user("other@example.test"), 1)[0]
    answer = browser.post("/notifications/change", {"some": verb, "ids": [first.pk, stranger.pk, "x", "9" * 30]})
    assert (answer.status_code, answer["Location"]) == (302, "/notifications")
    assert (Inbox.objects.get(user=user).unread, selectors.visible(user=user).count()) == (1, left)
    assert Inbox.objects.get(user=stranger.user).unread == 1
    assert second.pk in selectors.visible(user=user).values_list("pk", flat=True)


def test_one_by_its_own_button(user: User, browser: Client) -> None:
    first, second = notified(user, 2)
    browser.post("/notifications/change", {"one": f"archive:{first.pk}", "ids": [second.pk]})
    assert list(selectors.visible(user=user)) == [second]
    assert list(selectors.archived(user=user)) == [first]


def test_all_that_is_found_and_nothing_else(user: User, browser: Client) -> None:
    happened(user, EVENT, service="Telegram")
    notified(user, 30)
    body = browser.post("/notifications/change?q=telegram", {"all": "archive"}, headers={"Accept": "application/json"})
    assert body.json() == {"changed": 1, "detail": "1 notification archived."}
    body = browser.post("/notifications/change", {"all": "read"}, headers={"Accept": "application/json"})
    assert body.json() == {"changed": 30, "detail": "30 notifications marked as read."}
    browser.post("/notifications/change?state=archived", {"all": "delete"})
    assert (selectors.archived(user=user).count(), selectors.visible(user=user).count()) == (0, 30)


@pytest.mark.parametrize("given", [{}, {"all": "shred"}, {"some": "read"}, {"one": "read"}, {"one": "archive:x"}])
def test_what_says_nothing_changes_nothing(user: User, browser: Client, given: dict[str, str]) -> None:
    notified(user, 2)
    assert browser.post("/notifications/change", given).status_code == 302
    assert (Inbox.objects.get(user=user).unread, selectors.visible(user=user).count()) == (2, 2)


@pytest.mark.parametrize("times", [1, 3, 40])
def test_the_page_asks_the_same_however_long_the_inbox(
    user: User, browser: Client, times: int, django_assert_num_queries: Any
) -> None:
    notified(user, times)
    browser.get("/notifications")  # notes where one is signed in
    with django_assert_num_queries(2 + 3):  # session and user; the bar on top, rows, counts (and codes, where any)
        browser.get("/notifications")
    with django_assert_num_queries(2 + 1):
        browser.get("/notifications?from=u999999", headers=HTMX)
