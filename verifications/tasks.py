"""Celery tasks of this app. All are safe to run twice, and at the same time."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from celery import shared_task
from kombu.exceptions import OperationalError

from config.lib.postgres import clock
from verifications import services
from verifications.models import Verification

log = logging.getLogger(__name__)


@shared_task
def poll() -> None:
    services.poll_due(now=clock.now(), report=_report_later)


@shared_task
def recover() -> None:
    services.recover_due(now=clock.now())


@shared_task
def expire() -> None:
    services.expire_due(now=clock.now(), report=_report_later)


@shared_task
def progress() -> None:
    services.notify_progress(now=clock.now())


@shared_task
def purge() -> None:
    services.purge(now=clock.now())


@shared_task
def reconcile_provider() -> None:
    services.reconcile_nightly(now=clock.now())


@shared_task
def sync_catalogue() -> None:
    services.sync_catalogue(now=clock.now())


@shared_task
def report(ids: list[str]) -> None:
    """Report to the provider which numbers never worked, so that it returns their cost."""
    services.report_unsettled(ids)


def _report_later(rows: Sequence[Verification]) -> None:
    """Queue the reports for the catalogue's workers. Recovery repeats what is lost on the way."""
    try:
        report.delay([str(row.pk) for row in rows])
    except OperationalError as error:
        log.warning("%s reports are left to recovery: %s", len(rows), type(error).__name__)
