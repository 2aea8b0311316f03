"""Begin a top-up."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from config.lib import faults, money
from config.lib.errors.base import InvalidField, KeyReused, OverLimit
from payments import gateways, signals
from payments.models import Payment, PaymentStatus
from payments.services.checkout import OPENING_TAKES, open_for_customer
from wallet import services as wallet

_HOUR = timedelta(hours=1)
_LONGEST_KEY = 255


def initiate(*, user: User, amount: int, gateway: str | None = None, key: str | None = None, now: datetime) -> Payment:
    """A payment with an open checkout at the gateway. `amount` in cents; the same `key` never begins two.

    A known key answers with its payment (`.replayed`), and opens its checkout where that didn't work before. Raises
    InvalidField, KeyReused and OverLimit before anything is written, and GatewayUnavailable (with the `reference`)
    after: the payment stays, and the same key or the janitor goes on with it.
    """
    gateway = gateway or settings.GATEWAY
    _check(amount=amount, gateway=gateway, key=key)
    payment = _known(user=user, amount=amount, gateway=gateway, key=key) if key is not None else None
    if payment is None:
        payment = _create(user=user, amount=amount, gateway=gateway, key=key, now=now)
    if payment.gateway_id or payment.status != PaymentStatus.INITIATED or now >= payment.expires_at:
        return payment
    faults.point("topup.created")
    opened = open_for_customer(payment=payment, now=now)
    opened.replayed = payment.replayed
    return opened


def check_amount(amount: Any) -> None:
    """Raise InvalidField unless this is an amount in cents that can be topped up."""
    least, most = settings.TOP_UP_MIN_CENTS, settings.TOP_UP_MAX_CENTS
    if isinstance(amount, bool) or not isinstance(amount, int) or not least <= amount <= most:
        raise InvalidField(
            "amount",
            _("Enter an amount from %(least)s to %(most)s.")
            % {"least": money.display(least), "most": money.display(most)},
        )


def _check(*, amount: Any, gateway: str, key: str | None) -> None:
    check_amount(amount)
    if gateway not in gateways.GATEWAYS:
        names = ", ".join(gateways.GATEWAYS)
        raise InvalidField("gateway", _("The gateway is one of: %(names)s.") % {"names": names})
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise InvalidField("Idempotency-Key", _("An idempotency key has 1 to 255 plain characters."))


def _known(*, user: User, amount: int, gateway: str, key: str | None) -> Payment | None:
    payment = Payment.objects.select_related("user").filter(user=user, idempotency_key=key).first()
    if payment is None:
        return None
    if (payment.amount, payment.gateway) != (amount, gateway):
        raise KeyReused(
            _("This Idempotency-Key belongs to a top-up of %(amount)s. Use a new key for a new top-up.")
            % {"amount": money.display(payment.amount)},
            reference=payment.reference,
        )
    payment.replayed = True
    return payment


def _create(*, user: User, amount: int, gateway: str, key: str | None, now: datetime) -> Payment:
    """The row, committed before the gateway is asked: a crash in between leaves something to go on with."""
    fields = {
        "gateway": gateway,
        "amount": amount,
        "currency": settings.CURRENCY,
        "created_at": now,
        "expires_at": now + timedelta(seconds=settings.PAYMENT_EXPIRES_AFTER_SECONDS),
        "next_check_at": now + OPENING_TAKES,
    }
    with transaction.atomic(durable=True):
        wallet.lock_wallet(user=user)  # so that several at once don't all fit below the limit
        # Another request with this key may have been quicker.
        known = _known(user=user, amount=amount, gateway=gateway, key=key) if key is not None else None
        if known is not None:
            return known
        _check_pace(user=user, now=now)
        payment = Payment.objects.create(user=user, idempotency_key=key, **fields)
        signals.payment_initiated.send(sender=Payment, payment=payment)
    return payment


def _check_pace(*, user: User, now: datetime) -> None:
    limit = settings.MAX_TOP_UPS_PER_HOUR
    begun = Payment.objects.filter(user=user, created_at__gt=now - _HOUR).order_by("-created_at", "-id")
    oldest = begun.values_list("created_at", flat=True)[limit - 1 : limit].first()
    if oldest is not None:
        wait = math.ceil((oldest + _HOUR - now).total_seconds())
        raise OverLimit(
            _("You started %(limit)s top-ups in the last hour, the most you can. Try again in %(minutes)s minutes.")
            % {"limit": limit, "minutes": math.ceil(wait / 60)},
            retry_after=max(wait, 1),
        )
