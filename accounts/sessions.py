"""Delete sessions that have ended."""

from __future__ import annotations

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

_BATCH = 2_000


def clear_sessions(*, now: datetime) -> int:
    """Delete expired sessions, and then the UserSessions whose session is gone. Return how many sessions.

    In batches: the first run after years would be one statement of minutes otherwise.
    """
    expired = Session.objects.filter(expire_date__lt=now).order_by("expire_date")
    cleared = 0
    while keys := list(expired.values_list("pk", flat=True)[:_BATCH]):
        cleared += Session.objects.filter(pk__in=keys, expire_date__lt=now).delete()[0]
    live = Session.objects.filter(session_key=OuterRef("session_key"))
    orphans = UserSession.objects.filter(~Exists(live))
    while ids := list(orphans.values_list("pk", flat=True)[:_BATCH]):
        UserSession.objects.filter(pk__in=ids).delete()
    return cleared
