"""Reads of the inbox, and how its rows are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.middleware import zone
from accounts.models import User
from activity import wording
from activity.models import Activity
from config.lib import paging
from config.lib.errors.base import NotFound
from config.lib.secrets.encryption import DOTS
from notifications import catalog
from notifications.models import Inbox, Notification
from verifications.models import Message

PURGED = DOTS
ORDERS = {"newest": ("-seq",), "oldest": ("seq",), "unread": ("was_read", "-seq")}
SORTS = tuple(ORDERS)


class Shown(TypedDict):
    """A notification as the API, the sockets and the pages carry it."""

    id: int
    seq: int
    type: str
    category: str
    priority: str
    title: str
    message: str
    link: str
    icon: str
    is_read: bool
    created_at: str


def inbox_of(*, user: User) -> Inbox:
    """The user's counters; zeros before the first notification."""
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
    """In a single statement. Read it before the rows: what comes in between is then told twice, never missed."""
    names = ("inbox__seq", "inbox__unread", "wallet__balance", "wallet__held", "wallet__version")
    counted = [] if rows is None else [Subquery(rows.order_by().values("user").annotate(n=Count("pk")).values("n"))]
    row = User.objects.filter(pk=user.pk).values_list(*names, *counted).get()
    return Position(*(value or 0 for value in row))


def visible(*, user: User) -> QuerySet[Notification]:
    """What is neither archived nor deleted, newest first, with the events."""
    return (
        Notification.objects.filter(user=user, deleted_at=None, archived_at=None)
        .select_related("activity")
        .order_by("-seq")
    )


def archived(*, user: User) -> QuerySet[Notification]:
    """What was put away and not deleted, newest first, with the events."""
    put_away = Notification.objects.filter(user=user, deleted_at=None, archived_at__isnull=False)
    return put_away.select_related("activity").order_by("-seq")


def after(*, user: User, seq: int) -> QuerySet[Notification]:
    """What came after a position, in order: for resuming and polling. Read the inbox's position before this."""
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
    rows = _with_words(rows, query)
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
    """Return the name of a row as the end of a page, for `beyond`."""
    return f"{'r' if notification.read_at else 'u'}{notification.seq}"


def beyond(rows: QuerySet[Notification], *, place: str, sort: str) -> QuerySet[Notification]:
    """Return what of a `listing` of that sort comes after a place. A place that is none is the beginning."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return rows
    values = {"was_read": found[1] == "r", "seq": int(found[2])}
    order = ORDERS[sort]
    return paging.beyond(rows, [values[name.removeprefix("-")] for name in order], *order)


def search(*, user: User, query: str) -> QuerySet[Notification]:
    """What has the words in its event's title, description or resource. Codes are in none of them."""
    return _with_words(visible(user=user), query)


def _with_words(rows: QuerySet[Notification], query: str) -> QuerySet[Notification]:
    for word in query.split():
        rows = rows.filter(
            Q(activity__title__icontains=word)
            | Q(activity__description__icontains=word)
            | Q(activity__resource_id__icontains=word)
        )
    return rows


def suggestions(found: Iterable[Notification]) -> list[str]:
    """Up to five titles and services that what was found has in common."""
    counted: dict[str, int] = {}
    for notification in found:
        activity = notification.activity
        shown = wording.values(activity.event, activity.data)
        for words in (wording.fill(_title(activity), shown), activity.data.get("service", "")):
            if words:
                counted[words] = counted.get(words, 0) + 1
    return sorted(counted, key=lambda words: (-counted[words], words))[:5]


def notification_of(*, user: User, notification_id: int) -> Notification:
    """One of the user's, archived ones too. Raises NotFound for another's."""
    mine = Notification.objects.filter(user=user, pk=notification_id, deleted_at=None).select_related("activity")
    notification = mine.first()
    if notification is None:
        raise NotFound(_("You have no such notification."))
    return notification


def categories(*, user: User) -> list[dict[str, Any]]:
    """Every category with how many the user has there and how many of them are unread."""
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


def untold(*, since: datetime | None, until: datetime) -> QuerySet[Activity]:
    """Events of the catalogue before `until` that have no row in the inbox."""
    rows = Activity.objects.filter(created_at__lt=until, event__in=list(catalog.CATALOG)).select_related("user")
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    return rows.filter(~Exists(Notification.objects.filter(activity=OuterRef("pk"))))


# --- showing


def render(notification: Notification) -> Shown:
    """One notification, in its customer's time zone. Reads the code where it tells of one."""
    return render_all([notification], user=notification.user)[0]


def render_all(notifications: Iterable[Notification], *, user: User) -> list[Shown]:
    """These rows of one user; their codes are one query however many there are."""
    rows = list(notifications)
    codes = _codes(rows)
    with timezone.override(zone(user.time_zone)):
        return [_show(row, codes) for row in rows]


def _show(notification: Notification, codes: Mapping[str, str]) -> Shown:
    activity = notification.activity
    notice = catalog.CATALOG.get(activity.event)
    shown = wording.values(activity.event, activity.data)
    if activity.event in catalog.READ_WHEN_SHOWN:
        shown["code"] = codes.get(activity.data.get("message_id") or activity.resource_id) or PURGED
    return {
        "id": notification.pk,
        "seq": notification.seq,
        "type": activity.event,
        "category": notification.category,
        "priority": notification.priority,
        "title": wording.fill(_title(activity), shown),
        "message": wording.fill(notice.message, shown) if notice else activity.description,
        "link": catalog.link_of(activity),
        "icon": notice.icon if notice else "",
        "is_read": notification.read_at is not None,
        "created_at": notification.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }


def _title(activity: Activity) -> Any:
    """The catalogue's; that of the event where the catalogue has it no longer."""
    notice = catalog.CATALOG.get(activity.event)
    return notice.title if notice else activity.title


def _codes(notifications: Iterable[Notification]) -> dict[str, str]:
    """Codes by the message's id, and by the verification's for events that name no message: its newest.

    What is purged is missing.
    """
    ids = {UUID(row.activity.resource_id) for row in notifications if row.activity.event in catalog.READ_WHEN_SHOWN}
    if not ids:
        return {}
    messages = Message.objects.filter(verification_id__in=ids).order_by("received_at", "pk")
    codes: dict[str, str] = {}
    for pk, verification_id, code in messages.values_list("pk", "verification_id", "code"):
        if code:
            codes[str(pk)] = codes[str(verification_id)] = str(code)
    return codes
