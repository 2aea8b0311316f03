"""Our pages in place of Django's own."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory

from accounts.tests.factories import make_user
from config.error_pages import server_error

pytestmark = pytest.mark.django_db
NOTHING = "It may also belong to another account"  # Django's own page has our title too


@pytest.mark.parametrize("path", ["/nothing", "/account/nothing", "/verify/no-uuid"])
def test_an_unknown_address_has_our_page_while_debugging_too(client: Client, settings: Any, path: str) -> None:
    settings.DEBUG = True
    answer = client.get(path)
    assert answer.status_code == 404
    assert NOTHING in answer.content.decode()


def test_what_a_view_does_not_find_has_our_page_while_debugging_too(client: Client, settings: Any) -> None:
    settings.DEBUG = True
    client.force_login(make_user(is_staff=True))
    answer = client.get("/admin/nothing/")  # the console's own catch-all raises it
    assert answer.status_code == 404
    assert NOTHING in answer.content.decode()


def test_the_api_says_it_in_its_document_while_debugging_too(client: Client, settings: Any) -> None:
    settings.DEBUG = True
    answer = client.get("/api/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_an_address_with_a_slash_missing_still_finds_its_page(client: Client) -> None:
    answer = client.get("/account/login")
    assert (answer.status_code, answer["Location"]) == (301, "/account/login/")


def test_a_form_that_is_visited_says_so(client: Client) -> None:
    client.force_login(make_user())
    answer = client.get("/favourites")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "Use the form to do this" in answer.content.decode()


def test_a_page_that_expired_says_what_to_do_and_leads_on() -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(
        "/account/login/", headers={"Host": "testserver", "Referer": "http://testserver/account/login/"}
    )
    page = answer.content.decode()
    assert answer.status_code == 403
    for part in ("This page expired", "Nothing was saved.", "#history", 'href="/account/login/"', 'href="/policy"'):
        assert part in page


def test_a_broken_page_says_where_to_write_without_the_database(
    rf: RequestFactory, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SUPPORT_EMAIL = "help@example.test"
    with django_assert_num_queries(0):
        page = server_error(rf.get("/wallet")).content.decode()
    assert 'href="mailto:help@example.test"' in page
    assert 'href="/help"' in page
