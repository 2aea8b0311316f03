"""Reads of the inbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from activity.models import Activity
from config.lib import paging
from config.lib.errors.base import NotFound
from notifications import catalog
from notifications.inbox.search import matching
from notifications.models import Inbox, Notification

ORDERS = {"newest": ("-seq",), "oldest": ("seq",), "unread": ("was_read", "-seq")}
SORTS = tuple(ORDERS)


def inbox_of(*, user: User) -> Inbox:
    """Return the user's counters; zeros before the first notification."""
    return Inbox.objects.filter(user=user).first() or Inbox(user=user, seq=0, unread=0)


@dataclass(frozen=True)
class Position:
    """Everything of one moment that a page shows beside the list. Amounts in cents; `total` counts the list's rows."""

    seq: int
    unread: int
    balance: int
    held: int
    version: int
    total: int = 0


def position_of(*, user: User, rows: QuerySet[Notification] | None = None) -> Position:
    """Return the counters by one statement. Read them before the rows: what is added in between is then not missed."""
    names = ("inbox__seq", "inbox__unread", "wallet__balance", "wallet__held", "wallet__version")
    counted = [] if rows is None else [Subquery(rows.order_by().values("user").annotate(n=Count("pk")).values("n"))]
    row = User.objects.filter(pk=user.pk).values_list(*names, *counted).get()
    return Position(*(value or 0 for value in row))


def visible(*, user: User) -> QuerySet[Notification]:
    """Return what is neither archived nor deleted, newest first, with the events."""
    return (
        Notification.objects.filter(user=user, deleted_at=None, archived_at=None)
        .select_related("activity")
        .order_by("-seq")
    )


def archived(*, user: User) -> QuerySet[Notification]:
    """Return what was archived and not deleted, newest first, with the events."""
    rows = Notification.objects.filter(user=user, deleted_at=None, archived_at__isnull=False)
    return rows.select_related("activity").order_by("-seq")


def after(*, user: User, seq: int) -> QuerySet[Notification]:
    """Return what came after a position, in order: for resuming and polling. Read the inbox's position before this."""
    return visible(user=user).filter(seq__gt=seq).order_by("seq")


def listing(
    *,
    user: User,
    category: str = "",
    is_read: bool | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    before: int | None = None,
    sort: str = "newest",
    query: str = "",
    is_archived: bool = False,
) -> QuerySet[Notification]:
    """Return the centre's list, in the order of its sort. `before` (a seq): only what is older."""
    rows = archived(user=user) if is_archived else visible(user=user)
    rows = matching(rows, query)
    if category:
        rows = rows.filter(category=category)
    if is_read is not None:
        rows = rows.filter(read_at__isnull=not is_read)
    if start:
        rows = rows.filter(created_at__gte=start)
    if end:
        rows = rows.filter(created_at__lt=end)
    if before is not None:
        rows = rows.filter(seq__lt=before)
    if sort == "unread":
        rows = rows.annotate(was_read=ExpressionWrapper(Q(read_at__isnull=False), output_field=BooleanField()))
    return rows.order_by(*ORDERS[sort])


_PLACE = re.compile(r"([ru])([0-9]{1,18})", re.ASCII)


def place_of(notification: Notification) -> str:
    """Return the cursor that names a row as the last of its page, for `beyond`."""
    return f"{'r' if notification.read_at else 'u'}{notification.seq}"


def beyond(rows: QuerySet[Notification], *, place: str, sort: str) -> QuerySet[Notification]:
    """Return the rows of a `listing` of that sort that come after a cursor; all of them after one that is invalid."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return rows
    values = {"was_read": found[1] == "r", "seq": int(found[2])}
    order = ORDERS[sort]
    return paging.beyond(rows, [values[name.removeprefix("-")] for name in order], *order)


def notification_of(*, user: User, notification_id: int) -> Notification:
    """Return one of the user's, archived ones too. Raises NotFound for another's."""
    mine = Notification.objects.filter(user=user, pk=notification_id, deleted_at=None).select_related("activity")
    notification = mine.first()
    if notification is None:
        raise NotFound(_("You have no such notification."))
    return notification


def categories(*, user: User) -> list[dict[str, Any]]:
    """Return every category with how many the user has there and how many of them are unread."""
    rows = (
        Notification.objects.filter(user=user, deleted_at=None, archived_at=None)
        .values("category")
        .annotate(total=Count("pk"), unread=Count("pk", filter=Q(read_at=None)))
    )
    none = {"total": 0, "unread": 0}
    counts: dict[str, Any] = {row["category"]: row for row in rows}
    return [
        {
            "category": name,
            "title": str(title),
            "total": counts.get(name, none)["total"],
            "unread": counts.get(name, none)["unread"],
        }
        for name, title in catalog.CATEGORIES.items()
    ]


def not_notified(*, since: datetime | None, until: datetime) -> QuerySet[Activity]:
    """Return the events of the catalogue before `until` that have no row in the inbox."""
    rows = Activity.objects.filter(created_at__lt=until, event__in=list(catalog.CATALOG)).select_related("user")
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    return rows.filter(~Exists(Notification.objects.filter(activity=OuterRef("pk"))))
