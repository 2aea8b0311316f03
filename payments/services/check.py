"""The janitor: asks about payments that nobody told us about, and closes those that were not paid in time."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from config.lib import faults, money
from config.lib.commands import Report, Step, no_step
from config.lib.remote.errors import NotFound, OutcomeUnknown, Rejected, RemoteError
from payments import gateways
from payments.gateways.base import Gateway, GatewayState
from payments.models import Payment, PaymentStatus
from payments.services.checkout import next_check, open_checkout
from payments.services.outcome import apply, end
from payments.services.sweeping import sweep

log = logging.getLogger(__name__)

# So long after a payment's end a gateway that knows nothing of its checkout is believed. Idempotency keys live as long.
LOST_AFTER = timedelta(hours=24)
_BATCH = 200  # of a comparison


def check_due(*, now: datetime) -> int:
    """Ask the gateway about every initiated payment whose turn it is; several at once share the work.

    An unpaid one is expired at the gateway first, so that it can't be paid later, and only then here. No answer means
    unknown: its turn comes again.
    """
    return sweep(
        claim=lambda: _claim(now=now),
        work=lambda payment: check(payment=payment, now=now),
        owner=lambda payment: payment.user_id,
    )


def check(*, payment: Payment, now: datetime) -> Payment:
    """One payment. Raises RemoteErrors."""
    try:
        return _check(payment=payment, now=now)
    except (NotFound, OutcomeUnknown) as error:
        if now < payment.expires_at + LOST_AFTER or (payment.gateway_id and not isinstance(error, NotFound)):
            raise
        # Nobody was given an address to pay at, or the gateway has forgotten it.
        log.error("Payment %s is given up: %s: %s", payment.reference, type(error).__name__, error)
        return end(payment=payment, status=PaymentStatus.EXPIRED, reason="", now=now)


def _check(*, payment: Payment, now: datetime) -> Payment:
    faults.point("check.claimed")
    if not payment.gateway_id:
        payment = open_checkout(payment=payment, now=now)
        if not payment.gateway_id:
            return payment  # refused, and ended by that
    gateway = gateways.by_name(payment.gateway)
    state = gateway.fetch(payment.gateway_id)
    faults.point("check.answered")
    if state.status == "open" and now >= payment.expires_at:
        state = _close(gateway, payment.gateway_id)
        faults.point("check.closed")
    return apply(payment=payment, state=state, now=now)


def _close(gateway: Gateway, gateway_id: str) -> GatewayState:
    try:
        return gateway.expire(gateway_id)
    except Rejected:  # paid or expired between the two questions
        return gateway.fetch(gateway_id)


@transaction.atomic
def _claim(*, now: datetime) -> Payment | None:
    due = Payment.objects.filter(status=PaymentStatus.INITIATED, next_check_at__lte=now).order_by("next_check_at")
    payment = due.select_for_update(skip_locked=True, of=("self",)).select_related("user").first()
    if payment is not None:
        payment.next_check_at = next_check(payment=payment, now=now)
        payment.save(update_fields=["next_check_at"])
    return payment


def reconcile(*, since: datetime, now: datetime, execute: bool, step: Step = no_step) -> Report:
    """Compare every payment begun since then with the gateway; `execute` mends what may move, else it is rolled back.

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


# Where ours and the gateway's word agree.
_AGREE = {
    PaymentStatus.INITIATED: {"open", "processing"},
    PaymentStatus.COMPLETED: {"paid"},
    PaymentStatus.FAILED: {"failed", "open", "expired", "processing"},
    PaymentStatus.EXPIRED: {"expired", "failed"},
}


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
    with transaction.atomic():
        moved = apply(payment=payment, state=state, now=now).status
        if not execute:
            transaction.set_rollback(True)
    mended = moved != ours
    report.add(
        **row, gateway=state.status, now=moved, mended=mended, cents=payment.amount if moved == "completed" else 0
    )
