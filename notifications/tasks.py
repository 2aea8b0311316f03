"""What Celery runs."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from notifications import services


@shared_task
def sweep() -> None:
    """Each minute: events of the last hour that have no row in the inbox."""
    now = timezone.now()
    services.sweep(now=now, since=now - timedelta(seconds=settings.SWEEP_WINDOW_SECONDS))


@shared_task
def sweep_all() -> None:
    """Each night: all events."""
    services.sweep(now=timezone.now())
