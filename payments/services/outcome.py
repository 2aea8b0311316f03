"""Apply what the gateway says: credit what was paid, once, to the payment's owner, or end the payment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from config.lib import faults, money
from config.lib.unit_of_work import unit_of_work
from payments import gateways, signals
from payments.gateways.base import GatewayState
from payments.models import Payment, PaymentStatus
from wallet import services as wallet


def apply(*, payment: Payment, state: GatewayState, now: datetime) -> Payment:
    """Bring the payment to the state that the gateway reports. Idempotent, and safe when late or out of order.

    Money that arrived counts whatever the payment's state; `failed` and `expired` end only what is still initiated.
    """
    if state.status == "paid":
        return _credit(payment=payment, state=state, now=now)
    if state.status == "failed":
        reason = state.failure_reason or _("The payment did not go through.")
        return end(payment=payment, status=PaymentStatus.FAILED, reason=reason, now=now)
    if state.status == "expired":
        return end(payment=payment, status=PaymentStatus.EXPIRED, reason="", now=now)
    payment.refresh_from_db()
    return payment


@unit_of_work()
def end(*, payment: Payment, status: PaymentStatus, reason: str, now: datetime) -> Payment:
    """End it as `failed` or `expired`, if it is still initiated."""
    ended = Payment.objects.filter(pk=payment.pk, status__in=Payment.states_before(status)).update(
        status=status, failure_reason=reason[:200], next_check_at=None
    )
    payment.refresh_from_db()
    if ended:
        signal = signals.payment_failed if status == PaymentStatus.FAILED else signals.payment_expired
        signal.send(sender=Payment, payment=payment)
    return payment


@unit_of_work()
def _credit(*, payment: Payment, state: GatewayState, now: datetime) -> Payment:
    requested = (payment.amount, payment.currency.upper(), payment.gateway_id)
    if (state.amount, state.currency, state.gateway_id) != requested:
        return _record_mismatch(payment=payment, state=state)
    completed = Payment.objects.filter(pk=payment.pk, status__in=Payment.states_before(PaymentStatus.COMPLETED)).update(
        status=PaymentStatus.COMPLETED, completed_at=now, failure_reason="", next_check_at=None
    )
    payment.refresh_from_db()
    if not completed:
        return payment
    faults.committed("topup.credited")
    title = gateways.by_name(payment.gateway).title
    posted = wallet.credit(
        user=payment.user,
        amount=state.amount,
        type="credit",
        counterparty=f"gateway:{payment.gateway}",
        reference=f"payment:{payment.reference}",
        description=f"Top-up by {title}",
        resource=("payment", payment.reference),
        metadata={"payment_reference": payment.reference, "gateway": title},
        now=now,
    )
    signals.payment_completed.send(sender=Payment, payment=payment, transaction=posted)
    faults.point("topup.crediting")
    return payment


def _record_mismatch(*, payment: Payment, state: GatewayState) -> Payment:
    """Record that something else was paid than was requested, and alert staff once. Nothing is credited."""
    details: dict[str, Any] = {
        "reference": payment.reference,
        "gateway_id": state.gateway_id,
        "asked_amount": money.to_text(payment.amount),
        "asked_currency": payment.currency,
        "paid_amount": money.to_text(state.amount),
        "paid_currency": state.currency,
    }
    locked = Payment.objects.select_for_update().get(pk=payment.pk)
    if locked.status == PaymentStatus.COMPLETED or locked.mismatch == details:
        payment.refresh_from_db()
        return payment
    locked.mismatch = details
    if locked.status == PaymentStatus.INITIATED:
        locked.status = PaymentStatus.FAILED
        locked.failure_reason = _("We received a different amount than expected, so nothing was credited yet.")
        locked.next_check_at = None
    locked.save(update_fields=["mismatch", "status", "failure_reason", "next_check_at"])
    payment.refresh_from_db()
    signals.payment_mismatched.send(sender=Payment, payment=payment, details=details)
    return payment
