"""Resume a top-up that was begun and not paid, instead of beginning another."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import User
from payments.models import Payment, PaymentStatus
from payments.services.checkout import GatewayUnavailable
from payments.services.initiate import check_amount, initiate
from payments.services.settle import settle

log = logging.getLogger(__name__)

# A checkout with less time left is not resumed: it could close while the card's details are typed.
TIME_TO_PAY = timedelta(minutes=5)


def resume_or_initiate(*, user: User, amount: int, key: str | None = None, now: datetime) -> Payment:
    """Return the user's open payment of this amount, else begin one (`initiate`, whose errors it raises).

    The gateway is asked how the open one stands: where it has been paid meanwhile, that payment is returned as it is
    now, so that trying again doesn't pay twice. `amount` in cents. See docs/decisions/022.
    """
    check_amount(amount)
    payment = open_payment_of(user=user, amount=amount, now=now)
    if payment is not None:
        try:
            payment = settle(payment=payment, now=now)
        except GatewayUnavailable:
            log.info("Resuming payment %s without knowing how it stands", payment.reference)
        if payment.status in (PaymentStatus.INITIATED, PaymentStatus.COMPLETED):
            return payment
    return initiate(user=user, amount=amount, key=key, now=now).payment


def open_payment_of(*, user: User, amount: int | None = None, now: datetime) -> Payment | None:
    """Return the newest payment that can still be paid at its checkout, of this amount where one is given."""
    rows = Payment.objects.select_related("user").filter(
        user=user,
        gateway=settings.GATEWAY,
        status=PaymentStatus.INITIATED,
        mismatch__isnull=True,
        expires_at__gt=now + TIME_TO_PAY,
        created_at__gt=now - timedelta(seconds=settings.PAYMENT_EXPIRES_AFTER_SECONDS),
    )
    if amount is not None:
        rows = rows.filter(amount=amount)
    return rows.exclude(checkout_url="").order_by("-created_at", "-id").first()
