"""Buying a number: reserve the price, order, charge."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.errors import PolicyNotAccepted, PurchasesFrozen
from accounts.models import User
from accounts.selectors import accepted_policy
from config.lib import faults, money
from config.lib.errors.base import KeyReused, OverLimit
from config.lib.remote import errors as remote
from config.lib.remote.breaker import Breaker, Open
from verifications import errors, providers, signals
from verifications.models import OPEN, Offer, Status, Verification
from verifications.providers import base
from verifications.services import pricing, provider_calls, purchase_outcome, refusals
from verifications.services.transitions import update_in_status
from wallet import services as wallet

log = logging.getLogger(__name__)

# What a customer's limits are counted from, under the lock of the wallet.
_STANDING = """
SELECT u.purchases_frozen_at,
    (SELECT count(*) FROM verifications_verification v WHERE v.user_id = u.id AND v.status = ANY(%(open)s)),
    (SELECT count(*) FROM verifications_verification v WHERE v.user_id = u.id AND v.created_at > %(since)s)
FROM accounts_user u WHERE u.id = %(user)s
"""


@dataclass(frozen=True)
class Purchase:
    """`replayed`: this key had been answered before; nothing was bought now."""

    verification: Verification
    replayed: bool


def buy(
    *,
    user: User,
    service_name: str,
    country: str = "US",
    capability: str = "sms",
    area_code: str = "",
    max_price: int | None = None,
    key: str | None = None,
) -> Purchase:
    """Reserve the price, order a number, charge for it. `max_price` in cents. Call outside a transaction.

    The same key never buys twice. Refuses with nothing written (errors.py); a refusal by the provider
    (OutOfStock, PriceMoved, ProviderUnavailable) carries `verification_id` and has charged nothing.
    Where the provider gave no readable answer, or none within VENDOR_PATIENCE_SECONDS, or so many wait for it that it
    was not asked, the verification comes back as `requested`; recovery finishes it.
    """
    key = key or None
    fingerprint = _fingerprint(service_name, country, capability, area_code, max_price)
    if key and (first := _first_with(user, key)):
        return _replay(first, fingerprint)

    offer = pricing.offer_for_sale(service_name, country, capability)
    if not accepted_policy(user=user):
        raise PolicyNotAccepted
    priced = pricing.price_offer(offer, area_code)
    if max_price is not None and priced.price > max_price:
        raise errors.PriceMoved(
            _("The price is {price} now, above your limit of {limit}. Raise max_price to accept it.").format(
                price=money.display(priced.price), limit=money.display(max_price)
            ),
            price=money.to_text(priced.price),
        )
    breaker = _refuse_while_broken(offer)
    try:
        verification, replayed = _reserve(user, priced, area_code, key, fingerprint)
    except BaseException:
        breaker.release()
        raise
    if replayed:
        breaker.release()
        return _replay(verification, fingerprint)
    faults.point("buy.reserved")
    return Purchase(_order(verification, priced), replayed=False)


@transaction.atomic(durable=True)
def _reserve(
    user: User, priced: pricing.PricedOffer, area_code: str, key: str | None, fingerprint: str
) -> tuple[Verification, bool]:
    """T1: the verification and the hold. The wallet's lock makes one customer's purchases stand in line."""
    now = timezone.now()
    wallet.lock_wallet(user=user)
    if key and (first := _first_with(user, key)):
        return first, True
    _refuse_frozen_or_over_limit(user, now)
    offer = priced.offer
    verification = Verification.objects.create(
        user=user,
        service=offer.service,
        country=offer.country,
        capability=offer.capability,
        area_code=area_code,
        price=priced.price,
        cost=priced.cost,
        currency=settings.CURRENCY,
        idempotency_key=key,
        fingerprint=fingerprint,
        provider=offer.provider,
        created_at=now,
        next_recovery_at=now + timedelta(seconds=settings.RECOVER_AFTER_SECONDS),
    )
    wallet.hold(
        user=user,
        amount=verification.price,
        reference=verification.hold_reference,
        description=str(_("Number for {service}").format(service=offer.service.title)),
        service=offer.service.name,
        resource=("verification", str(verification.pk)),
    )
    signals.verification_requested.send(sender=Verification, verification=verification)
    return verification, False


def _order(verification: Verification, priced: pricing.PricedOffer) -> Verification:
    """The provider's answer, and T2. No transaction is open while it is asked."""
    try:
        number = provider_calls.purchase(verification)
    except remote.OutcomeUnknown as error:
        log.warning("The outcome of %s is unknown: %s", verification.pk, error)
        now = timezone.now()
        asked = not isinstance(error, provider_calls.NotAttempted)
        update_in_status(verification, answered_at=now, next_recovery_at=now + timedelta(seconds=1 if asked else 0))
        if asked:
            purchase_outcome.report_unclear(verification=verification, now=now)
        verification.refresh_from_db()
        return verification
    except remote.RemoteError as error:
        faults.point("buy.answered")
        log.info("The provider refused %s: %s %s", verification.pk, type(error).__name__, error)
        refusal = refusals.refusal_of(error)
        failed = purchase_outcome.reject(verification=verification, why=refusals.why(error), now=timezone.now())
        if failed.status != Status.FAILED:  # recovery was quicker, and got one
            return failed
        if isinstance(error, base.PriceMoved):
            pricing.requote(priced=priced, area_code=verification.area_code)
        refusal.extra["verification_id"] = str(failed.pk)
        raise refusal from error
    faults.point("buy.answered")
    sold = purchase_outcome.fulfil(verification=verification, number=number, now=timezone.now())
    if sold.status == Status.FAILED:
        raise errors.ProviderUnavailable(sold.failure_reason, verification_id=str(sold.pk))
    return sold


def _refuse_while_broken(offer: Offer) -> Breaker:
    """The service's breaker, closed, or with the one trial of a half-open one: order then, or `release` it."""
    breaker = providers.purchase_breaker(offer.service.name, offer.provider)
    try:
        breaker.check()
    except Open as broken:
        sentence: str | Promise = _(
            "Our number provider is having trouble, so numbers can't be ordered right now. Try again in a minute."
        )
        if broken.name == breaker.name:
            sentence = _(
                "Our number provider has trouble with {service} just now. Try again in a minute, or choose another."
            ).format(service=offer.service.title)
        raise errors.ProviderUnavailable(sentence, retry_after=max(1, math.ceil(broken.retry_after))) from broken
    return breaker


def _refuse_frozen_or_over_limit(user: User, now: datetime) -> None:
    hour = timedelta(hours=1)
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, {"user": user.pk, "since": now - hour, "open": list(OPEN)})
        frozen_at, pending, bought = cursor.fetchone()
    if frozen_at is not None:
        raise PurchasesFrozen
    if pending >= settings.MAX_PENDING:
        raise OverLimit(
            _(
                "You have {count} active numbers, the most you can have at once. Cancel one, or wait until one ends."
            ).format(count=pending),
            retry_after=30,
        )
    if bought >= settings.MAX_BUYS_PER_HOUR:
        recent = Verification.objects.filter(user=user, created_at__gt=now - hour).order_by("-created_at")
        oldest = recent.values_list("created_at", flat=True)[settings.MAX_BUYS_PER_HOUR - 1]
        raise OverLimit(
            _("You have bought {count} numbers in an hour, the most you can. Try again later.").format(
                count=settings.MAX_BUYS_PER_HOUR
            ),
            retry_after=max(1, math.ceil((oldest + hour - now).total_seconds())),
        )


def _first_with(user: User, key: str) -> Verification | None:
    return Verification.objects.select_related("user", "service").filter(user=user, idempotency_key=key).first()


def _replay(first: Verification, fingerprint: str) -> Purchase:
    if first.fingerprint != fingerprint:
        raise KeyReused
    left = first.created_at + timedelta(seconds=settings.IN_PROGRESS_SECONDS) - timezone.now()
    if first.answered_at is None and left > timedelta(0):
        raise errors.InProgress(retry_after=max(1, math.ceil(left.total_seconds())))
    return Purchase(first, replayed=True)


def _fingerprint(*request: str | int | Promise | None) -> str:
    return hashlib.sha256(json.dumps(request).encode()).hexdigest()
