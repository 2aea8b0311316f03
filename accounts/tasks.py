"""Celery's doors."""

from celery import shared_task
from django.utils import timezone

from accounts import sessions


@shared_task
def clear_sessions() -> int:
    return sessions.clear_sessions(now=timezone.now())
