"""Reads of the feed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from activity import wording
from activity.events import CUSTOMER, VOCABULARY
from activity.models import Activity
from config.lib.errors.base import NotFound

NEWEST_FIRST = ("-created_at", "-id")


def feed(
    *,
    user: User,
    activity_type: str = "",
    activity_types: Collection[str] = (),
    resource_type: str = "",
    status: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
    q: str = "",
) -> QuerySet[Activity]:
    """Return the user's events, newest first."""
    rows = Activity.objects.filter(user=user).order_by(*NEWEST_FIRST)
    given = {"activity_type": activity_type, "resource_type": resource_type, "status": status}
    rows = rows.filter(**{field: value for field, value in given.items() if value})
    if activity_types:
        rows = rows.filter(activity_type__in=activity_types)
    if start:
        rows = rows.filter(created_at__gte=start)
    if end:
        rows = rows.filter(created_at__lt=end)
    for word in q.split():
        rows = rows.filter(Q(title__icontains=word) | Q(description__icontains=word) | Q(resource_id__icontains=word))
    return rows


def activity_of(*, user: User, activity_id: int) -> Activity:
    """Return one of the user's events. Raises NotFound for another's."""
    activity = Activity.objects.filter(user=user, pk=activity_id).first()
    if activity is None:
        raise NotFound(_("You have no such activity."))
    return activity


@dataclass(frozen=True)
class Pause:
    """That a customer's purchases are paused: since when and why, as its event says."""

    since: datetime | None
    reason: str


def pause_of(*, user: User) -> Pause:
    """Return why the user's purchases are paused now; without a reason where no event has it."""
    event = of_resource(user=user, resource_type="user", resource_id=str(user.pk)).filter(event="purchases_frozen")
    latest = event.first()
    if latest is None:
        return Pause(user.purchases_frozen_at, "")
    shown = wording.values(latest.event, latest.data)
    return Pause(latest.created_at, str(shown.get("reason", "")).strip().rstrip("."))


def of_resource(*, user: User, resource_type: str, resource_id: str) -> QuerySet[Activity]:
    """Return what happened to one verification, payment, …, newest first."""
    return Activity.objects.filter(user=user, resource_type=resource_type, resource_id=resource_id).order_by(
        *NEWEST_FIRST
    )


def overview(*, user: User, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
    """Return the counts for the cards: {total, by_type: {type: n}, by_status: {status: n}, last_at}."""
    rows = feed(user=user, start=start, end=end).order_by()
    by_type: dict[str, int] = {}
    by_status: dict[str, int] = {}
    last_at: datetime | None = None
    for row in rows.values("activity_type", "status").annotate(number=Count("pk"), last=Max("created_at")):
        by_type[row["activity_type"]] = by_type.get(row["activity_type"], 0) + row["number"]
        by_status[row["status"]] = by_status.get(row["status"], 0) + row["number"]
        last_at = max(last_at or row["last"], row["last"])
    return {
        "total": sum(by_type.values()),
        "by_type": dict(sorted(by_type.items())),
        "by_status": dict(sorted(by_status.items())),
        "last_at": _iso(last_at) if last_at else None,
    }


def render(activity: Activity) -> dict[str, Any]:
    """Return one event as the API, the sockets and the pages carry it, in the reader's language."""
    declared = VOCABULARY.get(activity.event)
    shown = wording.values(activity.event, activity.data)
    own = activity.actor == CUSTOMER
    return {
        "id": activity.pk,
        "event": activity.event,
        "activity_type": activity.activity_type,
        "resource_type": activity.resource_type,
        "resource_id": activity.resource_id,
        "action": activity.action,
        "status": activity.status,
        "title": wording.fill(declared.title, shown) if declared else activity.title,
        "description": wording.fill(declared.description, shown) if declared else activity.description,
        "data": activity.data,
        "actor": activity.actor,
        "ip_address": activity.ip_address if own else None,
        "user_agent": activity.user_agent if own else "",
        "created_at": _iso(activity.created_at),
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
