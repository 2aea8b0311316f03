"""Reconcile the provider's sales with ours: every number that it sold us is some verification's, or was returned."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from config.lib.commands import Report, Step, no_step
from config.lib.remote.errors import Rejected, RemoteError
from config.lib.unit_of_work import unit_of_work
from verifications import providers, signals
from verifications.models import Status, Verification
from verifications.providers.base import PartialList, Provider, Sale, TooEarly
from verifications.services import lookup

log = logging.getLogger(__name__)

_NOTHING = Decimal(0)
NIGHTLY_OVER = timedelta(days=2)
SETTLED_AFTER = timedelta(minutes=2)  # a younger sale is still being written down by the purchase or its recovery
_WITHOUT_CODE = (Status.TIMED_OUT, Status.CANCELLED, Status.FAILED)
COLUMNS = ("provider_id", "service", "sold_at", "state", "cost", "problem", "action")


def reconcile_provider(*, since: datetime, now: datetime, execute: bool, step: Step = no_step) -> Report:
    """Compare the sales since then. `execute` cancels numbers without an open verification, and alerts staff.

    Rows: `orphan` (no verification has it), `left_open` (ours ended, theirs runs on), `cost` (they charged another cost
    than we wrote down), `missing` (we have it, they don't). `amount` is what the numbers to return cost us.
    `unreadable` counts rows of theirs that could not be read: what is missing may be among them.
    An orphan that was returned is as it should be. Raises RemoteError where their list can't be read.
    """
    provider = providers.current()
    report = Report(name="reconcile_provider", columns=COLUMNS)
    listed = provider.recent(since=since)
    sales = {sale.provider_id: sale for sale in listed}
    rows = Verification.objects.filter(provider=provider.name, provider_id__in=list(sales))
    owners = {row.provider_id: row for row in rows}
    recovering = list(lookup.unresolved_orders(provider.name))
    for sale in sales.values():
        step()
        report.checked += 1
        if now - sale.created_at < SETTLED_AFTER:
            continue
        owner = owners.get(sale.provider_id)
        if owner is not None:
            has_ended = owner.status in _WITHOUT_CODE and owner.ended_at and now - owner.ended_at > SETTLED_AFTER
            if sale.state == "waiting" and has_ended and owner.next_recovery_at is None:
                action = _cancel(provider, sale) if execute else "would cancel"
                _add(report, sale, "left_open", action, cost=sale.cost)
            if owner.cost is not None and owner.cost != sale.cost:
                _add(report, sale, "cost", f"ours says {_shown_cost(owner.cost)}")
        elif sale.state != "cancelled":
            order = next((order for order in recovering if lookup.matches_order(order, sale)), None)
            if order is None:
                _report_orphan(provider, report, sale, execute=execute)
            else:
                recovering.remove(order)  # each open order accounts for one number
    _report_missing(provider, report, listed, since=since, now=now)
    return report


def reconcile_nightly(*, now: datetime) -> Report | None:
    """Compare the last two days and alert staff to what is found. Return None where their list can't be read.

    Orphans are returned only where PROVIDER_ACCOUNT_EXCLUSIVE says that no other buyer uses our account.
    """
    provider = providers.current()
    try:
        report = reconcile_provider(
            since=now - NIGHTLY_OVER, now=now, execute=settings.PROVIDER_ACCOUNT_EXCLUSIVE, step=no_step
        )
    except RemoteError as error:
        log.error("The provider's book can't be read: %s %s", type(error).__name__, error)
        _report_differences(provider.name, {}, error=type(error).__name__)
        return None
    if not report.clean:
        _report_differences(provider.name, report.as_dict(), error="")
    return report


@unit_of_work()
def _report_differences(provider: str, report: Mapping[str, Any], *, error: str) -> None:
    signals.provider_compared.send(sender=Verification, provider=provider, report=report, error=error)


def _report_orphan(provider: Provider, report: Report, sale: Sale, *, execute: bool) -> None:
    action = {"waiting": "would cancel", "unknown": "look at it"}.get(sale.state, "ended")
    if execute:
        if Verification.objects.filter(provider=provider.name, provider_id=sale.provider_id).exists():
            return  # fulfilled meanwhile
        if sale.state == "waiting":
            action = _cancel(provider, sale)
        details = {**_shown(sale), "action": action}
        with unit_of_work():
            signals.provider_orphan_found.send(
                sender=Verification, provider=provider.name, provider_id=sale.provider_id, details=details
            )
    _add(report, sale, "orphan", action, cost=sale.cost)


def _report_missing(
    provider: Provider, report: Report, listed: PartialList[Sale], *, since: datetime, now: datetime
) -> None:
    """Report what we bought and they don't list, and that rows of the list can't be read, which may be these.

    At the edges of the time the two clocks may differ.
    """
    bought = Verification.objects.filter(
        provider=provider.name, created_at__gte=since + lookup.CLOCK_SKEW, created_at__lt=now - SETTLED_AFTER
    ).exclude(provider_id="")
    missing = bought.exclude(provider_id__in=[sale.provider_id for sale in listed])
    for row in missing.select_related("service").order_by("created_at").iterator():
        report.add(
            provider_id=row.provider_id,
            service=row.service.name,
            sold_at=row.created_at.isoformat(timespec="seconds"),
            state=row.status,
            cost="" if row.cost is None else _shown_cost(row.cost),
            problem="missing",
            action="look at it",
        )
    if listed.unreadable:
        nothing: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        action = f"look at it: {listed.unreadable} rows can't be read"
        report.add(**{**nothing, "problem": "unreadable", "action": action})


def _cancel(provider: Provider, sale: Sale) -> str:
    """Return the number, and say what came of it; what fails is found again by the next run."""
    try:
        provider.cancel(sale.provider_id)
    except TooEarly as error:
        return f"too early: in {error.retry_after:.0f} s"
    except Rejected:
        return "ended meanwhile"
    except RemoteError as error:
        return f"not cancelled: {type(error).__name__}"
    return "cancelled"


def _add(report: Report, sale: Sale, problem: str, action: str, *, cost: Decimal = _NOTHING) -> None:
    report.add(
        cents=cost * 100, mended=action in ("cancelled", "would cancel"), **_shown(sale), problem=problem, action=action
    )


def _shown(sale: Sale) -> dict[str, str]:
    return {
        "provider_id": sale.provider_id,
        "service": sale.service,
        "sold_at": sale.created_at.isoformat(timespec="seconds"),
        "state": sale.state,
        "cost": _shown_cost(sale.cost),
    }


def _shown_cost(cost: Decimal) -> str:
    """Return a cost with two places, or as many as it has: costs are finer than a cent."""
    return f"{cost:.2f}" if cost == round(cost, 2) else f"{cost.normalize():f}"
