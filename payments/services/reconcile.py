"""Compare the payments of some days with the gateways', open or not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from config.lib import money
from config.lib.commands import Report, Step, no_step
from config.lib.remote.errors import RemoteError
from config.lib.unit_of_work import unit_of_work
from payments import gateways
from payments.models import Payment, PaymentStatus
from payments.services.outcome import apply

_BATCH = 200
# Our status, and those of the gateway's that agree with it.
_AGREE = {
    PaymentStatus.INITIATED: {"open", "processing"},
    PaymentStatus.COMPLETED: {"paid"},
    PaymentStatus.FAILED: {"failed", "open", "expired", "processing"},
    PaymentStatus.EXPIRED: {"expired", "failed"},
}


def reconcile(*, since: datetime, now: datetime, execute: bool, step: Step = no_step) -> Report:
    """Compare every payment begun since then with its gateway; `execute` keeps what changes, else it is rolled back.

    What can't be compared or mended (no answer, completed here and unpaid there) is reported too.
    """
    report = Report("payments", ("reference", "amount", "ours", "gateway", "now"))
    payments = Payment.objects.select_related("user").filter(created_at__gte=since, created_at__lte=now).order_by("id")
    last = 0
    # Not by iterator(): its cursor would keep the connection, which goes back to the pool while the gateway is asked.
    while batch := list(payments.exclude(gateway_id="").filter(id__gt=last)[:_BATCH]):
        for payment in batch:
            step()
            report.checked += 1
            _compare(payment=payment, now=now, execute=execute, report=report)
        last = batch[-1].id
    return report


def _compare(*, payment: Payment, now: datetime, execute: bool, report: Report) -> None:
    ours = PaymentStatus(payment.status)
    row: dict[str, Any] = {
        "reference": payment.reference,
        "amount": money.to_text(payment.amount),
        "ours": str(ours),
    }
    try:
        state = gateways.by_name(payment.gateway).fetch(payment.gateway_id)
    except RemoteError as error:
        report.add(**row, gateway=type(error).__name__, now=_("not known"))
        return
    if state.status in _AGREE[ours]:
        return
    with unit_of_work():
        moved = apply(payment=payment, state=state, now=now).status
        if not execute:
            transaction.set_rollback(True)
    mended = moved != ours
    report.add(
        **row, gateway=state.status, now=moved, mended=mended, cents=payment.amount if moved == "completed" else 0
    )
