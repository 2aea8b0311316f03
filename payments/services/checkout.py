"""Open the checkout of a payment at its gateway, once."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.lib import faults, money
from config.lib.backoff import Backoff
from config.lib.errors.base import DomainError
from config.lib.remote.errors import OutcomeUnknown, Rejected, Throttled, Unavailable
from payments import gateways
from payments.gateways.base import CheckoutRequest, CheckoutSession
from payments.models import Payment, PaymentStatus
from payments.services.outcome import end

log = logging.getLogger(__name__)

# For so long after it was created, the first request may still be opening the payment's checkout.
OPENING_TAKES = timedelta(seconds=60)
_CHECKS = Backoff(base=OPENING_TAKES.total_seconds(), longest=3600)


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
    """Ask the gateway for the checkout of an initiated payment that has none yet, and save it.

    A refusal ends the payment. Raises Unavailable, Throttled and OutcomeUnknown: nothing is saved then, and it may be
    asked again, since the reference is the gateway's idempotency key.
    """
    page = f"{settings.PUBLIC_URL}/payments/{payment.reference}"
    request = CheckoutRequest(
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
    try:
        session = gateways.by_name(payment.gateway).create(request)
    except Rejected as error:
        log.error("The gateway refused the checkout of payment %s: %s", payment.reference, error)
        if now >= payment.expires_at:  # asked too late for a checkout; there never was one to pay at
            return end(payment=payment, status=PaymentStatus.EXPIRED, reason="", now=now)
        reason = _("The payment gateway refused to open a checkout.")
        return end(payment=payment, status=PaymentStatus.FAILED, reason=reason, now=now)
    faults.point("topup.opened")
    _save_session(payment=payment, session=session)
    faults.point("topup.saved")
    payment.refresh_from_db()
    return payment


def open_for_customer(*, payment: Payment, now: datetime) -> Payment:
    """Open the checkout while the customer waits: an unclear outcome is asked once more at once.

    Raises GatewayUnavailable; the regular check finishes what was begun, and so does the same key.
    """
    try:
        try:
            payment = open_checkout(payment=payment, now=now)
        except OutcomeUnknown:
            payment = open_checkout(payment=payment, now=now)
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
    """Return when the gateway is asked again: less and less often as the payment ages, and when it should expire."""
    age = (now - payment.created_at).total_seconds()
    turn = now + timedelta(seconds=_CHECKS.at_age(age, share=1 / 2))
    return min(turn, payment.expires_at) if now < payment.expires_at else turn


def _save_session(*, payment: Payment, session: CheckoutSession) -> None:
    """Save the session. A webhook may have brought its id already; a payment never changes its session."""
    check_at = payment.created_at + timedelta(seconds=settings.PAYMENT_CHECK_AFTER_SECONDS)
    kept = Payment.objects.filter(pk=payment.pk, gateway_id__in=["", session.id]).update(
        gateway_id=session.id, checkout_url=session.url
    )
    if not kept:
        log.error("Payment %s has another checkout than %s", payment.reference, session.id)
    Payment.objects.filter(
        pk=payment.pk, gateway_id=session.id, status=PaymentStatus.INITIATED, next_check_at__lt=check_at
    ).update(next_check_at=check_at)
