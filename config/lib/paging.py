"""Pages of a list by keyset: what a page costs does not grow with how deep it is.

A list's order is given as Django's `order_by` takes it, its last field unique: `"-created_at", "-id"`. A row's place in
the list is the values of these fields; a page goes on after a place, however many rows are before it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.core.exceptions import BadRequest
from django.db.models import DateTimeField, Field, Model, Q, QuerySet, UUIDField
from django.http import HttpRequest

PAGE_SIZE = 25
M = TypeVar("M", bound=Model)


def beyond(rows: QuerySet[M], place: Sequence[Any], *order: str) -> QuerySet[M]:
    """Return the rows that come after a place in that order."""
    names = [name.removeprefix("-") for name in order]
    compared = ["lt" if name.startswith("-") else "gt" for name in order]
    if len(order) > 1:  # says nothing that the condition below doesn't, but an index can start there
        rows = rows.filter(**{f"{names[0]}__{compared[0]}e": place[0]})
    condition = Q()
    for depth, value in enumerate(place):
        equal = dict(zip(names[:depth], place, strict=False))
        condition |= Q(**equal, **{f"{names[depth]}__{compared[depth]}": value})
    return rows.filter(condition)


def before(rows: QuerySet[M], place: Sequence[Any], *order: str) -> QuerySet[M]:
    """Return the rows that come before a place in that order."""
    return beyond(rows, place, *(name[1:] if name.startswith("-") else f"-{name}" for name in order))


# --- pages of the site


@dataclass(frozen=True)
class Page:
    """`rows` of this page; `older` is the query string of the next, '' on the last; `first` when nothing is newer.

    `newest` is the query string of the first page: the same filters, from the top.
    """

    rows: list[Any]
    older: str
    first: bool
    newest: str = ""


def keyset_page(request: HttpRequest, rows: QuerySet[Any], *order: str, size: int = PAGE_SIZE) -> Page:
    """Return the page after `?before=` of the rows in that order. A bad cursor is the first page.

    Raises BadRequest for a time that only exists in its own zone: no row was made then, and PostgreSQL can't hold it.
    """
    names = [name.removeprefix("-") for name in order]
    place = _decode(request.GET.get("before", ""), [rows.model._meta.get_field(name) for name in names])
    first = place is None
    after = rows if place is None else beyond(rows, place, *order)
    found = list(after.order_by(*order)[: size + 1])
    query = request.GET.copy()
    query.pop("before", None)
    newest, older = query.urlencode(), ""
    if len(found) > size:
        found = found[:size]
        place = [getattr(found[-1], name) for name in names]
        query["before"] = "|".join(value.isoformat() if isinstance(value, datetime) else str(value) for value in place)
        older = query.urlencode()
    return Page(found, older, first, newest)


def _decode(cursor: str, fields: Sequence[Field[Any, Any]]) -> list[Any] | None:
    """Return the values of a cursor's fields, None for a cursor that is none."""
    texts = cursor.split("|")
    if len(texts) != len(fields):
        return None
    try:
        return [_value(field, text) for field, text in zip(fields, texts, strict=True)]
    except ValueError:
        return None


def _value(field: Field[Any, Any], text: str) -> Any:
    if isinstance(field, UUIDField):
        return uuid.UUID(text)
    if isinstance(field, DateTimeField):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(f"{text} has no time zone")
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise BadRequest("a cursor before or after all time") from None
    if not text.isdecimal() or len(text) > 18:
        raise ValueError(f"{text:.20} is no whole number")
    return int(text)


# --- lists of the API


def list_page(
    rows: QuerySet[Any] | list[Any],
    given: Mapping[str, Any],
    *order: str,
    find: Callable[[Any], Any] | None = None,
    total: int | None = None,
) -> tuple[int, list[Any]]:
    """Return the list's length and the rows of the page that a query asks for; `given` is what PageSerializer read.

    `skip` and `limit` count from where the cursors put them: `before` goes on after a row of the list, `after` takes
    the rows just above one. A cursor is the value of the order's only field, or what `find` returns its row by (and
    raises NotFound for). `rows` are in that order; their number is `total`, where it is known already.
    """
    skip, limit = given["skip"], given["limit"]
    if isinstance(rows, list):
        return len(rows), rows[skip : skip + limit]
    between = rows
    names = [name.removeprefix("-") for name in order]
    places: dict[str, list[Any]] = {}
    for cursor in ("before", "after"):
        if cursor in given:
            found = find(given[cursor]) if find else None
            places[cursor] = [getattr(found, name) for name in names] if found else [given[cursor]]
    if "before" in places:
        between = beyond(between, places["before"], *order)
    if "after" in places:
        between = before(between, places["after"], *order).reverse()
    shown = list(between[skip : skip + limit])
    if "after" in places:
        shown.reverse()
    return rows.count() if total is None else total, shown
