"""Every periodic job once: `manage.py sweep [--now ISO-TIME]`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifications import services as notifications
from payments import services as payments
from verifications import services as verifications

# In the order in which one's work is the next one's: what is recovered can be polled, what ends is told.
JOBS: dict[str, Callable[[datetime], object]] = {
    "recover verifications": lambda now: verifications.recover_due(now=now),
    "poll verifications": lambda now: verifications.poll_due(now=now),
    "expire verifications": lambda now: verifications.expire_due(now=now),
    "tell progress": lambda now: verifications.tell_progress(now=now),
    "check payments": lambda now: payments.check_due(now=now),
    "retry gateway events": lambda now: payments.retry_events(now=now),
    "purge codes": lambda now: verifications.purge(now=now),
    "sync catalogue": lambda now: verifications.sync_catalogue(now=now),
    "tell what was missed": lambda now: notifications.sweep(now=now),
}


class Command(BaseCommand):
    help = "Run every periodic job once, as of a moment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--now", type=_moment, help="as of this time (ISO 8601 with its offset); default: now")

    def handle(self, *args: Any, now: datetime | None = None, **options: Any) -> None:
        """Each job runs, whatever became of the others. Exits 1 where one failed."""
        now = now or timezone.now()
        failed = [name for name, job in JOBS.items() if not self._ran(name, job, now)]
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}", returncode=1)

    def _ran(self, name: str, job: Callable[[datetime], object], now: datetime) -> bool:
        try:
            result = job(now)
        except Exception as error:  # noqa: BLE001  one job's failure keeps no other from running; it is printed and counts
            self.stderr.write(f"{name}: {type(error).__name__}: {error}")
            return False
        self.stdout.write(f"{name}: {result}")
        return True


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a time: write it as 2026-11-21T12:00:00+00:00") from error
    if moment.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no offset: write it as {text}+00:00, or with Z for UTC")
    return moment
