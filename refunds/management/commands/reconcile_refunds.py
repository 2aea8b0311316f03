"""Refund verifications that ended without a code and were not refunded."""

from __future__ import annotations

from datetime import datetime

from config.lib.commands import ReconcileCommand, Report, Step
from refunds import services


class Command(ReconcileCommand):
    help = "Give back what ended verifications without a code were charged, or hold still. Exits 1 where there was one."

    def reconcile(self, *, since: datetime, now: datetime, execute: bool, step: Step) -> Report:
        return services.reconcile_refunds(since=since, now=now, execute=execute, step=step)
