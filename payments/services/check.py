"""The regular check: asks the gateways about open payments, and closes those that were not paid in time."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from config.lib import faults
from config.lib.remote.errors import NotFound, OutcomeUnknown, Rejected
from config.lib.sweep import Rows, claim, sweep
from payments import gateways
from payments.models import Payment, PaymentStatus
from payments.services.checkout import next_check, open_checkout
from payments.services.outcome import apply, end

log = logging.getLogger(__name__)

# So long after a payment's end a gateway that knows nothing of its checkout is believed. Idempotency keys live as long.
LOST_AFTER = timedelta(hours=24)
# A run ends before the next one begins.
SWEEP_SECONDS, MOST = 45.0, 1000


def check_due(*, now: datetime) -> int:
    """Ask the gateway about every initiated payment that is due; several workers share them. Return how many.

    An unpaid one is expired at the gateway first, so that it can't be paid later, and only then here. No answer means
    unknown: it is asked about again.
    """
    due = Payment.objects.filter(status=PaymentStatus.INITIATED, next_check_at__lte=now)
    due = due.order_by("next_check_at").select_related("user")
    rows: Rows[Payment] = Rows(lambda payment: check(payment=payment, now=now), label="payment")
    return sweep(
        claim=lambda: claim(due, lambda payment: {"next_check_at": next_check(payment=payment, now=now)}),
        work=rows.one_by_one,
        stop=rows.vendor_is_silent,
        seconds=SWEEP_SECONDS,
        most=MOST,
    )


def check(*, payment: Payment, now: datetime) -> Payment:
    """Ask the gateway about one payment, and apply what it says. Raises RemoteErrors."""
    faults.point("check.claimed")
    try:
        if not payment.gateway_id:
            payment = open_checkout(payment=payment, now=now)
            if not payment.gateway_id:
                return payment  # refused, and ended by that
        gateway = gateways.by_name(payment.gateway)
        state = gateway.fetch(payment.gateway_id)
        faults.point("check.answered")
        if state.status == "open" and now >= payment.expires_at:
            try:
                state = gateway.expire(payment.gateway_id)
            except Rejected:  # paid or expired between the two questions
                state = gateway.fetch(payment.gateway_id)
            faults.point("check.closed")
        return apply(payment=payment, state=state, now=now)
    except (NotFound, OutcomeUnknown) as error:
        if now < payment.expires_at + LOST_AFTER or (payment.gateway_id and not isinstance(error, NotFound)):
            raise
        # No customer was given an address to pay at, or the gateway has forgotten it.
        log.error("Payment %s is given up: %s: %s", payment.reference, type(error).__name__, error)
        return end(payment=payment, status=PaymentStatus.EXPIRED, reason="", now=now)
