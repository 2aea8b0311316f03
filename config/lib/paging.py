"""Pages of a list by keyset: what a page costs does not grow with how deep it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

PAGE_SIZE = 25


@dataclass(frozen=True)
class Page:
    """`rows` of this page; `older` is the query string of the next, '' on the last; `first` when nothing is newer."""

    rows: list[Any]
    older: str
    first: bool


def keyset_page(request: HttpRequest, queryset: QuerySet[Any], *, key: str, size: int = PAGE_SIZE) -> Page:
    """The page after `?before=` of rows with a whole number `key`, newest first. A bad cursor is the first page."""
    before = request.GET.get("before", "")
    cursor = int(before) if before.isdecimal() and len(before) <= 18 else None
    after = queryset if cursor is None else queryset.filter(**{f"{key}__lt": cursor})
    rows = list(after.order_by(f"-{key}")[: size + 1])
    query = request.GET.copy()
    older = ""
    if len(rows) > size:
        rows = rows[:size]
        query["before"] = str(getattr(rows[-1], key))
        older = query.urlencode()
    return Page(rows, older, cursor is None)
