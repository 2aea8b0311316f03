"""Remove old events that money doesn't depend on: `manage.py cleanup_activities --days N`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from config.lib.commands import whole_days
from notifications.inbox import services


class Command(BaseCommand):
    help = "Remove sign-ins, settings, keys and the like older than some days. Money's events are kept for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=whole_days(36_500), required=True, help="how many days to keep")

    def handle(self, *args: Any, days: int, **options: Any) -> None:
        removed = services.cleanup(days=days, now=timezone.now())
        self.stdout.write(f"{removed} events older than {days} days were removed.")
