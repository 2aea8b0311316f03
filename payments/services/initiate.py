"""Begin a top-up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from config.lib import faults, money
from config.lib.errors.base import InvalidField, KeyReused, OverLimit
from config.lib.idempotency import IdempotentResult
from config.lib.limiter import HOUR, seconds_to_wait
from config.lib.unit_of_work import unit_of_work
from payments import gateways, signals
from payments.models import Payment, PaymentStatus
from payments.services.checkout import OPENING_TAKES, open_for_customer
from wallet import services as wallet

_LONGEST_KEY = 255


@dataclass(frozen=True)
class TopUp(IdempotentResult):
    """A payment, with an open checkout at the gateway where it is not over yet."""

    payment: Payment


def initiate(*, user: User, amount: int, gateway: str | None = None, key: str | None = None, now: datetime) -> TopUp:
    """Create a payment and open its checkout at the gateway. `amount` in cents; the same `key` never begins two.

    A known key is answered with its payment, and opens its checkout where that didn't work before. Raises
    InvalidField, KeyReused and OverLimit before anything is written, and GatewayUnavailable (with the `reference`)
    after: the payment stays, and the same key or the regular check continues it.
    """
    gateway = gateway or settings.GATEWAY
    check_amount(amount)
    if gateway not in gateways.GATEWAYS:
        names = ", ".join(gateways.GATEWAYS)
        raise InvalidField("gateway", _("The gateway is one of: %(names)s.") % {"names": names})
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise InvalidField("Idempotency-Key", _("An idempotency key has 1 to 255 plain characters."))
    top_up = _find(user=user, amount=amount, gateway=gateway, key=key)
    if top_up is None:
        top_up = _create(user=user, amount=amount, gateway=gateway, key=key, now=now)
    payment = top_up.payment
    if payment.gateway_id or payment.status != PaymentStatus.INITIATED or now >= payment.expires_at:
        return top_up
    faults.point("topup.created")
    return replace(top_up, payment=open_for_customer(payment=payment, now=now))


def check_amount(amount: Any) -> None:
    """Raise InvalidField unless this is an amount in cents that can be topped up."""
    least, most = settings.TOP_UP_MIN_CENTS, settings.TOP_UP_MAX_CENTS
    if isinstance(amount, bool) or not isinstance(amount, int) or not least <= amount <= most:
        raise InvalidField(
            "amount",
            _("Enter an amount from %(least)s to %(most)s.")
            % {"least": money.display(least), "most": money.display(most)},
        )


def _find(*, user: User, amount: int, gateway: str, key: str | None) -> TopUp | None:
    """Return what was begun with this key, None where nothing was. Raises KeyReused for another top-up's."""
    if key is None:
        return None
    payment = Payment.objects.select_related("user").filter(user=user, idempotency_key=key).first()
    if payment is None:
        return None
    if (payment.amount, payment.gateway) != (amount, gateway):
        raise KeyReused(
            _("This Idempotency-Key belongs to a top-up of %(amount)s. Use a new key for a new top-up.")
            % {"amount": money.display(payment.amount)},
            reference=payment.reference,
        )
    return TopUp(payment, replayed=True)


def _create(*, user: User, amount: int, gateway: str, key: str | None, now: datetime) -> TopUp:
    """Commit the payment before the gateway is asked: after a crash in between it can be continued."""
    limit = settings.MAX_TOP_UPS_PER_HOUR
    fields = {
        "gateway": gateway,
        "amount": amount,
        "currency": settings.CURRENCY,
        "created_at": now,
        "expires_at": now + timedelta(seconds=settings.PAYMENT_EXPIRES_AFTER_SECONDS),
        "next_check_at": now + OPENING_TAKES,
    }
    with unit_of_work(durable=True):
        wallet.lock_wallet(user=user)  # so that several at once don't all fit below the limit
        found = _find(user=user, amount=amount, gateway=gateway, key=key)  # another request with this key was quicker
        if found is not None:
            return found
        begun = Payment.objects.filter(user=user, created_at__gt=now - HOUR).order_by("-created_at", "-id")
        wait = seconds_to_wait(begun.values_list("created_at", flat=True), limit=limit, now=now)
        if wait:
            raise OverLimit(
                _("You started %(limit)s top-ups in the last hour, the most you can. Try again in %(minutes)s minutes.")
                % {"limit": limit, "minutes": math.ceil(wait / 60)},
                retry_after=wait,
            )
        payment = Payment.objects.create(user=user, idempotency_key=key, **fields)
        signals.payment_initiated.send(sender=Payment, payment=payment)
    return TopUp(payment, replayed=False)
