"""How rows of the inbox are shown: filled in when they are read, in the reader's time zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import TypedDict
from uuid import UUID

from django.utils import timezone

from accounts.middleware import zone
from accounts.models import User
from activity import wording
from activity.models import Activity
from config.lib.secrets.encryption import DOTS
from notifications import catalog
from notifications.models import Notification
from verifications.models import Message

PURGED = DOTS


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


def render(notification: Notification) -> Shown:
    """Return one notification, in its customer's time zone. Reads the code where it is about one."""
    return render_all([notification], user=notification.user)[0]


def render_all(notifications: Iterable[Notification], *, user: User) -> list[Shown]:
    """Return these rows of one user; their codes are one query however many there are."""
    rows = list(notifications)
    codes = _codes(rows)
    rendered: list[Shown] = []
    with timezone.override(zone(user.time_zone)):
        for row in rows:
            activity = row.activity
            notice = catalog.CATALOG.get(activity.event)
            shown = wording.values(activity.event, activity.data)
            if activity.event in catalog.READ_WHEN_SHOWN:
                shown["code"] = codes.get(activity.data.get("message_id") or activity.resource_id) or PURGED
            rendered.append(
                {
                    "id": row.pk,
                    "seq": row.seq,
                    "type": activity.event,
                    "category": row.category,
                    "priority": row.priority,
                    "title": title_of(activity, shown),
                    "message": wording.fill(notice.message, shown) if notice else activity.description,
                    "link": catalog.link_of(activity),
                    "icon": notice.icon if notice else "",
                    "is_read": row.read_at is not None,
                    "created_at": row.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                }
            )
    return rendered


def title_of(activity: Activity, shown: Mapping[str, str]) -> str:
    """Return the catalogue's title; the event's own where the catalogue has it no longer."""
    notice = catalog.CATALOG.get(activity.event)
    return wording.fill(notice.title if notice else activity.title, shown)


def _codes(notifications: Iterable[Notification]) -> dict[str, str]:
    """Return codes by the message's id, and by the verification's for events that name no message: its newest.

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
