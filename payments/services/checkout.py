"""The checkout at the gateway that belongs to a payment: opened once, whoever asks and however often."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.lib import faults, money
from config.lib.errors.base import DomainError
from config.lib.remote.errors import OutcomeUnknown, Rejected, Throttled, Unavailable
from payments import gateways
from payments.gateways.base import CheckoutRequest, CheckoutSession
from payments.models import Payment, PaymentStatus
from payments.services.outcome import end

log = logging.getLogger(__name__)

# Less than this after its birth a payment without a checkout may still be in its first request's hands.
OPENING_TAKES = timedelta(seconds=60)


class GatewayUnavailable(DomainError):
    """`reference` names the payment; `retry_after` is there where trying again makes sense."""

    code = "gateway_unavailable"
    status = 503
    title = gettext_lazy("The payment gateway can't be reached right now")
    detail = gettext_lazy("The payment gateway does not answer")
    remedy = gettext_lazy("Try again with the same `Idempotency-Key`: it continues the same payment.")
    example = {
        "detail": "The payment gateway isn't responding right now. Nothing was charged. Please try again in a minute.",
        "retry_after": 30,
        "reference": "pay_5f0c1d2e3a4b5c6d7e8f",
    }
    table_order = 1


def open_checkout(*, payment: Payment, now: datetime) -> Payment:
    """Ask the gateway for the checkout of an initiated payment that has none yet, and note it.

    A refusal ends the payment. Raises Unavailable, Throttled and OutcomeUnknown: nothing is noted then, and it may be
    asked again, since the reference is the gateway's idempotency key.
    """
    try:
        session = gateways.by_name(payment.gateway).create(_request(payment))
    except Rejected as error:
        return _refused(payment=payment, error=error, now=now)
    faults.point("topup.opened")
    _note(payment=payment, session=session)
    faults.point("topup.noted")
    payment.refresh_from_db()
    return payment


def open_for_customer(*, payment: Payment, now: datetime) -> Payment:
    """The same while somebody waits: an unclear outcome is asked once more at once.

    Raises GatewayUnavailable; the janitor finishes what was begun, and so does the same key.
    """
    try:
        payment = _twice(payment=payment, now=now)
    except (Unavailable, Throttled, OutcomeUnknown) as error:
        payment.refresh_from_db()  # another request with the same key may have had more luck
        if payment.gateway_id:
            return payment
        log.warning("Checkout of payment %s is not open: %s: %s", payment.reference, type(error).__name__, error)
        raise GatewayUnavailable(
            _("The payment gateway isn't responding right now. Nothing was charged. Please try again in a minute."),
            reference=payment.reference,
            retry_after=error.retry_after if isinstance(error, Throttled) else 30,
        ) from error
    if not payment.gateway_id:
        raise GatewayUnavailable(
            _("The payment gateway refused to open a checkout. Nothing was charged. Please contact support."),
            reference=payment.reference,
        )
    return payment


def next_check(*, payment: Payment, now: datetime) -> datetime:
    """When the gateway is asked again: ever more rarely as the payment ages, and the moment that it should expire."""
    delay = min(max((now - payment.created_at) / 2, OPENING_TAKES), timedelta(hours=1))
    if now < payment.expires_at:
        return min(now + delay, payment.expires_at)
    return now + delay


def _twice(*, payment: Payment, now: datetime) -> Payment:
    try:
        return open_checkout(payment=payment, now=now)
    except OutcomeUnknown:
        return open_checkout(payment=payment, now=now)


def _request(payment: Payment) -> CheckoutRequest:
    page = f"{settings.PUBLIC_URL}/payments/{payment.reference}"
    return CheckoutRequest(
        reference=payment.reference,
        amount=payment.amount,
        currency=payment.currency,
        description=f"Ringfence top-up of {money.display(payment.amount)}",
        success_url=f"{page}?returned=1",
        cancel_url=f"{page}?cancelled=1",
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        email=payment.user.email,
    )


def _note(*, payment: Payment, session: CheckoutSession) -> None:
    """Keep the session. A webhook may have told us its id already; a payment never changes its session."""
    check_at = payment.created_at + timedelta(seconds=settings.PAYMENT_CHECK_AFTER_SECONDS)
    kept = Payment.objects.filter(pk=payment.pk, gateway_id__in=["", session.id]).update(
        gateway_id=session.id, checkout_url=session.url
    )
    if not kept:
        log.error("Payment %s has another checkout than %s", payment.reference, session.id)
    Payment.objects.filter(
        pk=payment.pk, gateway_id=session.id, status=PaymentStatus.INITIATED, next_check_at__lt=check_at
    ).update(next_check_at=check_at)


def _refused(*, payment: Payment, error: Rejected, now: datetime) -> Payment:
    log.error("The gateway refused the checkout of payment %s: %s", payment.reference, error)
    if now >= payment.expires_at:  # asked too late for a checkout; there never was one to pay at
        return end(payment=payment, status=PaymentStatus.EXPIRED, reason="", now=now)
    reason = _("The payment gateway refused to open a checkout.")
    return end(payment=payment, status=PaymentStatus.FAILED, reason=reason, now=now)
