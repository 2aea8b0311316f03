"""All writes of this app: one event row for each thing that happens, and alerts for staff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from activity import signals, wording
from activity.events import CUSTOMER, FINANCIAL_TYPES, Event
from activity.models import Activity, Alert
from config.lib.errors.base import DomainError
from config.lib.request_context import client_of
from config.lib.unit_of_work import before_commit
from wallet.models import Transaction

_CLEANUP_BATCH = 5_000


class AlertIsClosed(DomainError):
    code = "already_ended"
    status = 409
    detail = _("This alert is resolved already.")


def record(
    *,
    event: Event,
    user: User,
    data: Mapping[str, str],
    resource: tuple[str, str] = ("", ""),
    actor: str = "",
    ip_address: str | None = None,
    user_agent: str = "",
    now: datetime | None = None,
) -> Activity:
    """Record that `event` happened to `user`, in the unit of work that changes the state.

    The row is inserted just before the outermost commit, together with all others of the unit; until then it has no
    `pk`. Without its event nothing is committed. Raises NotInUnitOfWork outside one.

    `data` has exactly the fields that activity/events.py declares (BadEventData otherwise): money as "2.50", times as
    ISO 8601. `resource` and `actor` default to what the vocabulary says. A customer's own action gets the address and
    the user agent of the customer's request.
    """
    fields = _fields(event, data, resource, actor, now)
    if fields["actor"] == CUSTOMER and not user_agent:
        address, user_agent = client_of(user.pk)
        ip_address = ip_address or address
    activity = Activity(user=user, ip_address=ip_address, user_agent=user_agent[:300], **fields)
    before_commit(_write, [activity])
    return activity


def record_for_all(
    *,
    event: Event,
    users: Iterable[User],
    data: Mapping[str, str],
    resource: tuple[str, str] = ("", ""),
    actor: str = "",
    now: datetime | None = None,
) -> list[Activity]:
    """Record the same event for many customers, as `record` does for one."""
    fields = _fields(event, data, resource, actor, now)
    activities = [Activity(user=user, **fields) for user in users]
    if activities:
        before_commit(_write, activities)
    return activities


# What the rows of one event share is sent once for all of its customers. Types without a length cut nothing off.
_SHARED = [field for field in Activity._meta.concrete_fields if field.attname not in ("id", "user_id")]
_NAMES = ", ".join(str(field.column) for field in _SHARED)
_ARRAYS = ", ".join(f"%s::{str(field.db_type(connection)).partition('(')[0]}[]" for field in _SHARED)
_INSERT = f"""
    INSERT INTO activity_activity (user_id, {_NAMES})
    SELECT user_id, {_NAMES}
    FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS customer (user_id, number, place)
    JOIN unnest({_ARRAYS}) WITH ORDINALITY AS event ({_NAMES}, number) USING (number)
    ORDER BY place
    RETURNING id
"""  # noqa: S608  its names are the model's


def _write(recorded: Sequence[Sequence[Activity]]) -> None:
    """Insert what a unit of work recorded, in one statement and in order, and announce it."""
    activities = [activity for customers in recorded for activity in customers]
    numbers = [number for number, customers in enumerate(recorded, 1) for _customer in customers]
    events = [customers[0] for customers in recorded]
    columns = [
        [field.get_db_prep_save(getattr(event, field.attname), connection) for event in events] for field in _SHARED
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [[activity.user_id for activity in activities], numbers, *columns])
        for activity, (pk,) in zip(activities, cursor.fetchall(), strict=True):
            activity.pk, activity._state.adding, activity._state.db = pk, False, connection.alias
    signals.activities_recorded.send(sender=Activity, activities=activities)


def _fields(
    event: Event, data: Mapping[str, str], resource: tuple[str, str], actor: str, now: datetime | None
) -> dict[str, Any]:
    """Return the row's columns, its words in the product's language. Raises BadEventData."""
    wording.validate(event, data)
    with translation.override(settings.LANGUAGE_CODE):
        shown = wording.values(event.name, data)
        title, description = wording.fill(event.title, shown), wording.fill(event.description, shown)
    return {
        "event": event.name,
        "activity_type": event.activity_type,
        "resource_type": resource[0] or event.resource_type,
        "resource_id": resource[1],
        "action": event.action,
        "status": event.status,
        "title": title[:120],
        "description": description[:300],
        "data": dict(data),
        "actor": actor or event.actor,
        "created_at": now or timezone.now(),
    }


def raise_alert(
    *,
    rule: str,
    cause: str,
    severity: str,
    details: Mapping[str, Any],
    user: User | None = None,
    transaction: Transaction | None = None,
) -> Alert | None:
    """Alert staff, once for each rule and cause. Return None where there is an alert already.

    `details` are primitives.
    """
    alert, is_new = Alert.objects.get_or_create(
        rule=rule,
        cause=cause[:120],
        defaults={"severity": severity, "user": user, "transaction": transaction, "details": dict(details)},
    )
    if not is_new:
        return None
    signals.alert_raised.send(sender=Alert, alert=alert)
    return alert


def acknowledge_alert(*, alert: Alert, by: User, now: datetime) -> Alert:
    """Mark an alert as looked at. Acknowledging again changes nothing. Raises AlertIsClosed for a resolved one."""
    states = Alert.State
    moved = Alert.objects.filter(pk=alert.pk, state=states.OPEN).update(
        state=states.ACKNOWLEDGED, handled_by=by, handled_at=now
    )
    alert.refresh_from_db()
    if not moved and alert.state == states.RESOLVED:
        raise AlertIsClosed
    return alert


def resolve_alert(*, alert: Alert, by: User, now: datetime) -> Alert:
    """Close it. Resolving again changes nothing."""
    Alert.objects.filter(pk=alert.pk).exclude(state=Alert.State.RESOLVED).update(
        state=Alert.State.RESOLVED, handled_by=by, handled_at=now
    )
    alert.refresh_from_db()
    return alert


def cleanup(*, before: datetime) -> int:
    """Remove older events that money doesn't depend on; those that a notification still shows stay. Return how many."""
    old = Activity.objects.filter(created_at__lt=before, notification__isnull=True).exclude(
        activity_type__in=FINANCIAL_TYPES
    )
    removed = 0
    while ids := list(old.values_list("pk", flat=True).order_by("created_at")[:_CLEANUP_BATCH]):
        removed += Activity.objects.filter(pk__in=ids).delete()[0]
    return removed
