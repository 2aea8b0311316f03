"""Celery's doors."""

from celery import shared_task
from django.utils import timezone

from payments import services


@shared_task
def check_payments() -> int:
    return services.check_due(now=timezone.now())


@shared_task
def purge_gateway_events() -> int:
    return services.purge_events(now=timezone.now())


@shared_task
def retry_gateway_events() -> int:
    return services.retry_events(now=timezone.now())
