"""Pages by keyset: of the site and of the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import QueryDict
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import PolicyAcceptance
from accounts.tests.factories import make_user
from config.lib.paging import before, beyond, keyset_page, list_page

pytestmark = pytest.mark.django_db
NOW = timezone.now()
NEWEST_FIRST = ("-accepted_at", "-id")


@pytest.fixture
def rows() -> QuerySet[PolicyAcceptance]:
    """Five, of which the second, third and fourth have the same time."""
    user = make_user(accepted=False)
    for number, minutes in enumerate((4, 2, 2, 2, 1)):
        PolicyAcceptance.objects.create(user=user, version=str(number), accepted_at=NOW - timedelta(minutes=minutes))
    return PolicyAcceptance.objects.order_by(*NEWEST_FIRST)


def names(found: Any) -> str:
    return "".join(row.version for row in found)


def test_rows_beyond_and_before_a_place_also_where_the_first_field_is_the_same(
    rows: QuerySet[PolicyAcceptance],
) -> None:
    row = rows.get(version="2")
    place = (row.accepted_at, row.pk)
    assert (names(beyond(rows, place, *NEWEST_FIRST)), names(before(rows, place, *NEWEST_FIRST))) == ("10", "43")


@pytest.mark.parametrize("order", [NEWEST_FIRST, ("-id",), ("accepted_at", "-id"), ("id",)])
def test_the_pages_together_are_the_list(rows: QuerySet[PolicyAcceptance], order: tuple[str, ...]) -> None:
    pages, query = [], "filter=kept"
    while query:
        page = keyset_page(RequestFactory().get(f"/?{query}"), rows, *order, size=2)
        pages.append(names(page.rows))
        assert (page.first, page.newest) == (len(pages) == 1, "filter=kept")
        query = page.older
        assert not query or QueryDict(query)["filter"] == "kept"
    assert ("".join(pages), [len(page) for page in pages]) == (names(rows.order_by(*order)), [2, 2, 1])


@pytest.mark.parametrize(
    "cursor", ["", "x", "7", "x|7", "2026-11-21T10:00:00|7", "2026-11-21T10:00:00Z|x", "2026-11-21T10:00:00Z|7|7"]
)
def test_a_cursor_that_is_none_is_the_first_page(rows: QuerySet[PolicyAcceptance], cursor: str) -> None:
    page = keyset_page(RequestFactory().get("/", {"before": cursor}), rows, *NEWEST_FIRST)
    assert (page.first, names(page.rows)) == (True, names(rows))


def test_a_time_outside_of_all_time_is_refused(rows: QuerySet[PolicyAcceptance]) -> None:
    with pytest.raises(BadRequest):
        keyset_page(RequestFactory().get("/", {"before": "0001-01-01T00:00:00+14:00|7"}), rows, *NEWEST_FIRST)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, "43"),
        ({"skip": 3}, "10"),
        ({"before": "3"}, "21"),
        ({"before": "3", "skip": 1}, "10"),
        ({"after": "1"}, "32"),
        ({"after": "1", "skip": 1}, "43"),
        ({"before": "4", "after": "0"}, "21"),
    ],
)
def test_a_list_of_the_api_goes_on_at_its_cursors_and_counts_all(
    rows: QuerySet[PolicyAcceptance], given: dict[str, Any], shown: str
) -> None:
    query = {"skip": 0, "limit": 2, **given}
    total, found = list_page(rows, query, *NEWEST_FIRST, find=lambda version: rows.get(version=version))
    assert (total, names(found)) == (5, shown)


def test_a_cursor_may_be_the_orders_only_field(rows: QuerySet[PolicyAcceptance]) -> None:
    query = {"skip": 0, "limit": 2, "before": rows.get(version="2").pk}
    total, found = list_page(rows.order_by("-id"), query, "-id", total=7)
    assert (total, names(found)) == (7, "10")


def test_a_list_in_memory_is_cut_too() -> None:
    assert list_page([1, 2, 3], {"skip": 1, "limit": 1}) == (3, [2])
