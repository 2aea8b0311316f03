"""What staff announce to customers: an event each, so that it stays in the inboxes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from celery import current_app
from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError

from accounts.models import User
from activity.events import ANNOUNCEMENT
from activity.models import Activity, Actor
from activity.services import record, record_for_all
from config.lib.errors.base import DomainError, NotFound
from config.lib.metrics import broadcasts_total
from config.lib.unit_of_work import unit_of_work

RESOURCE = "announcement"
TASK = "notifications.tasks.announce"
BATCH = 500
TOGETHER = 100  # their inboxes are locked for the moment that it takes


class WorkersUnreachable(DomainError):
    code = "workers_unavailable"
    status = 503
    title = _("The announcement can't be sent right now")
    detail = _("The announcement was not sent: the workers can't be reached. Try again in a minute.")
    remedy = _("For staff: send the announcement again in a minute.")
    table_order = 2


@dataclass(frozen=True)
class Announcement:
    id: str
    recipients: int


def announce_to(*, user_id: int, title: str, text: str, link: str, now: datetime) -> Announcement:
    """Notify one customer. Raises NotFound."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotFound(_("There is no such customer."))
    announcement_id = str(uuid4())
    with unit_of_work():
        record(
            event=ANNOUNCEMENT,
            user=user,
            data={"title": title, "text": text, "link": link},
            resource=(RESOURCE, announcement_id),
            actor=Actor.STAFF,
            now=now,
        )
    broadcasts_total.labels(to="one").inc()
    return Announcement(announcement_id, 1)


def announce_to_all(*, title: str, text: str, link: str, now: datetime) -> Announcement:
    """Hand it to the workers. Raises WorkersUnreachable, and then no customer is notified."""
    announcement_id = str(uuid4())
    hand_on(announcement_id, after=0, title=title, text=text, link=link)
    broadcasts_total.labels(to="all").inc()
    return Announcement(announcement_id, User.objects.filter(is_active=True, date_joined__lte=now).count())


def hand_on(announcement_id: str, *, after: int, title: str, text: str, link: str) -> None:
    """Have a worker go on with the customers after this id. Raises WorkersUnreachable."""
    arguments = {"announcement_id": announcement_id, "after": after, "title": title, "text": text, "link": link}
    try:
        current_app.send_task(TASK, kwargs=arguments, retry=False)
    except OperationalError as error:
        raise WorkersUnreachable from error


def announce_batch(*, announcement_id: str, after: int, title: str, text: str, link: str, now: datetime) -> int | None:
    """Notify the next customers by id, a transaction for each hundred. Return the last one's id, None at the end.

    Safe to run twice, at once too: customers who have this announcement are passed over.
    """
    has_it = Activity.objects.filter(user=OuterRef("pk"), resource_type=RESOURCE, resource_id=announcement_id)
    ids = list(User.objects.filter(pk__gt=after, is_active=True).order_by("pk").values_list("pk", flat=True)[:BATCH])
    for start in range(0, len(ids), TOGETHER):
        with unit_of_work():
            # A second run of the same announcement waits here, and then sees what the first has written.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [announcement_id])
            record_for_all(
                event=ANNOUNCEMENT,
                users=User.objects.filter(~Exists(has_it), pk__in=ids[start : start + TOGETHER]).order_by("pk"),
                data={"title": title, "text": text, "link": link},
                resource=(RESOURCE, announcement_id),
                actor=Actor.STAFF,
                now=now,
            )
    return ids[-1] if len(ids) == BATCH else None
