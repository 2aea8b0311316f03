"""Doors of the background work. All are safe to run twice, and at the same time."""

from celery import shared_task
from django.utils import timezone

from verifications import services


@shared_task
def poll() -> None:
    services.poll_due(now=timezone.now())


@shared_task
def recover() -> None:
    services.recover_due(now=timezone.now())


@shared_task
def expire() -> None:
    services.expire_due(now=timezone.now())


@shared_task
def progress() -> None:
    services.tell_progress(now=timezone.now())


@shared_task
def purge() -> None:
    services.purge(now=timezone.now())


@shared_task
def reconcile_provider() -> None:
    services.reconcile_nightly(now=timezone.now())


@shared_task
def sync_catalogue() -> None:
    services.sync_catalogue(now=timezone.now())
