"""Celery tasks of this app."""

from celery import shared_task

from config.lib.postgres import clock
from payments import services


@shared_task
def check_payments() -> int:
    return services.check_due(now=clock.now())


@shared_task
def purge_gateway_events() -> int:
    return services.purge_events(now=clock.now())


@shared_task
def retry_gateway_events() -> int:
    return services.retry_events(now=clock.now())
