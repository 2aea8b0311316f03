"""Payments whose state differs from the gateway's."""

from __future__ import annotations

from datetime import datetime

from config.lib.commands import ReconcileCommand, Report, Step
from payments import services


class Command(ReconcileCommand):
    help = "Compare payments with the gateway, and mend those that differ."

    def reconcile(self, *, since: datetime, now: datetime, execute: bool, step: Step) -> Report:
        return services.reconcile(since=since, now=now, execute=execute, step=step)
