"""Celery tasks."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import OperationalError

from config.lib.postgres import clock
from notifications.announcements import services as announcements
from notifications.inbox import services


@shared_task
def sweep() -> None:
    """Add missing notifications of the last hour. Runs each minute."""
    now = clock.now()
    services.repair(now=now, since=now - timedelta(seconds=settings.SWEEP_WINDOW_SECONDS))


@shared_task
def sweep_all() -> None:
    """Add missing notifications of all events. Runs each night."""
    services.repair(now=clock.now())


@shared_task
def cleanup_activities() -> int:
    """Remove events that money doesn't depend on, ACTIVITIES_KEPT_DAYS after they happened. Runs each night."""
    return services.cleanup(days=settings.ACTIVITIES_KEPT_DAYS, now=clock.now())


# What it waits for in vain is the same announcement, run a second time.
@shared_task(autoretry_for=(OperationalError,), retry_backoff=5, max_retries=5)
def announce(announcement_id: str, after: int, title: str, text: str, link: str) -> None:
    """Notify an announcement's next customers; then have the task run again for those after them."""
    announcement = {"title": title, "text": text, "link": link}
    last = announcements.announce_batch(announcement_id=announcement_id, after=after, now=clock.now(), **announcement)
    if last is not None:
        announcements.hand_on(announcement_id, after=last, **announcement)
