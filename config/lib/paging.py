"""Pages of a list by keyset: what a page costs does not grow with how deep it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

PAGE_SIZE = 25


@dataclass(frozen=True)
class Page:
    """`rows` of this page; `older` is the query string of the next, '' on the last; `first` when nothing is newer.

    `newest` is the query string of the first page: the same filters, from the top.
    """

    rows: list[Any]
    older: str
    first: bool
    newest: str = ""


def keyset_page(request: HttpRequest, queryset: QuerySet[Any], *, key: str, size: int = PAGE_SIZE) -> Page:
    """The page after `?before=` of rows with a whole number `key`, newest first. A bad cursor is the first page."""
    before = request.GET.get("before", "")
    cursor = int(before) if before.isdecimal() and len(before) <= 18 else None
    after = queryset if cursor is None else queryset.filter(**{f"{key}__lt": cursor})
    rows = list(after.order_by(f"-{key}")[: size + 1])
    return page_of(request, rows, size=size, first=cursor is None, cursor=lambda row: str(getattr(row, key)))


def page_of(request: HttpRequest, rows: list[Any], *, size: int, first: bool, cursor: Callable[[Any], str]) -> Page:
    """Return the page of up to `size` of the rows; one more than that says that there is an older page.

    `cursor` returns the `?before=` that goes on below a row.
    """
    query = request.GET.copy()
    query.pop("before", None)
    newest = query.urlencode()
    older = ""
    if len(rows) > size:
        rows = rows[:size]
        query["before"] = cursor(rows[-1])
        older = query.urlencode()
    return Page(rows, older, first, newest)
