"""Every periodic job once: `manage.py sweep [--now ISO-TIME]`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import sessions
from config.lib import money
from config.lib.commands import point_in_time
from notifications.inbox import services as notifications
from payments import services as payments
from verifications import services as verifications


def _sync_catalogue(now: datetime) -> str:
    found = verifications.sync_catalogue(now=now)
    words = f"{found.services} services listed ({found.added} new, {found.gone} gone), {found.priced} prices renewed"
    words += f", then stopped: {found.stopped}" if found.stopped else ""
    words += f", not taken over: it lacks {found.refused} of {found.for_sale}" if found.refused else ""
    if found.balance is None:
        return f"{words}, our balance unknown"
    return f"{words}, our balance {money.display(int(found.balance * 100))}"


def _reconcile_provider(now: datetime) -> str:
    report = verifications.reconcile_nightly(now=now)
    return (
        "its book can't be read" if report is None else f"{report.checked} numbers compared, {report.found} to look at"
    )


def _tell_missed(now: datetime) -> str:
    swept = notifications.repair(now=now)
    return f"{swept.missing} events without a notification, {swept.notified} told"


# Each job, and what it prints about its work, in an order in which one prepares the next: a recovered number can be
# polled, an ended one is announced.
JOBS: dict[str, Callable[[datetime], str]] = {
    "recover verifications": lambda now: f"{verifications.recover_due(now=now)} taken a step on",
    "poll verifications": lambda now: f"{verifications.poll_due(now=now)} asked about",
    "expire verifications": lambda now: f"{verifications.expire_due(now=now)} past their end",
    "tell progress": lambda now: f"{verifications.notify_progress(now=now)} told",
    "check payments": lambda now: f"{payments.check_due(now=now)} asked about",
    "retry gateway events": lambda now: f"{payments.retry_events(now=now)} tried again",
    "purge gateway events": lambda now: f"{payments.purge_events(now=now)} emptied",
    "clear sessions": lambda now: f"{sessions.clear_sessions(now=now)} removed",
    "clean up activities": lambda now: f"{notifications.cleanup(days=settings.ACTIVITIES_KEPT_DAYS, now=now)} removed",
    "purge codes": lambda now: f"{verifications.purge(now=now)} emptied",
    "sync catalogue": _sync_catalogue,
    "reconcile provider": _reconcile_provider,
    "tell what was missed": _tell_missed,
}


class Command(BaseCommand):
    help = "Run every periodic job once, as of a moment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--now", type=point_in_time, help="as of this time (ISO 8601 with its offset); default: now"
        )

    def handle(self, *args: Any, now: datetime | None = None, **options: Any) -> None:
        """Run each job, whether or not the others failed. Exit with 1 where one failed."""
        now, failed = now or timezone.now(), []
        for name, job in JOBS.items():
            try:
                self.stdout.write(f"{name}: {job(now)}")
            except Exception as error:  # noqa: BLE001  one job's failure keeps no other from running
                self.stderr.write(f"{name}: {type(error).__name__}: {error}")
                failed.append(name)
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}", returncode=1)
