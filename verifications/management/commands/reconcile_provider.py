"""Compare the numbers that the provider sold us with our verifications; give back those that nobody owns."""

from __future__ import annotations

from datetime import datetime

from django.core.management.base import CommandError

from config.lib.commands import ReconcileCommand, Report, Step
from config.lib.remote.errors import RemoteError
from verifications import services


class Command(ReconcileCommand):
    help = __doc__ or ""
    days = 2

    def reconcile(self, *, since: datetime, now: datetime, execute: bool, step: Step) -> Report:
        try:
            return services.reconcile_provider(since=since, now=now, execute=execute, step=step)
        except RemoteError as error:
            raise CommandError(f"The provider's book can't be read: {type(error).__name__} {error}") from error
