"""Buy a number: reserve the price, order the number, charge for it."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.errors import PolicyNotAccepted, PurchasesFrozen
from accounts.models import User
from accounts.selectors import accepted_policy
from config.lib import faults, money
from config.lib.errors.base import KeyReused, OverLimit
from config.lib.idempotency import IdempotentResult
from config.lib.limiter import HOUR, seconds_to_wait
from config.lib.remote import errors as remote
from config.lib.remote.breaker import Admission, Open
from config.lib.unit_of_work import unit_of_work
from verifications import errors, providers, signals
from verifications.models import OPEN, Offer, Status, Verification
from verifications.providers import base
from verifications.services import pricing, provider_calls, purchase_outcome, refusals
from verifications.services.transitions import update_in_status
from wallet import services as wallet

log = logging.getLogger(__name__)

# Counted under the lock of the wallet: whether purchases are frozen, how many numbers are open, how many were bought.
_COUNTS = """
SELECT u.purchases_frozen_at,
    (SELECT count(*) FROM verifications_verification v WHERE v.user_id = u.id AND v.status = ANY(%(open)s)),
    (SELECT count(*) FROM verifications_verification v WHERE v.user_id = u.id AND v.created_at > %(since)s)
FROM accounts_user u WHERE u.id = %(user)s
"""


@dataclass(frozen=True)
class Purchase(IdempotentResult):
    """What `buy` came to."""

    verification: Verification


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

    Idempotent: the same key never buys twice. What we refuse (errors.py) writes nothing; what the provider refuses
    (OutOfStock, PriceMoved, ProviderUnavailable) carries `verification_id` and charges nothing. Where the provider gave
    no readable answer, or none within VENDOR_PATIENCE_SECONDS, or so many wait for it that it was not asked, the
    verification is returned as `requested`, and recovery finishes it.
    """
    key = key or None
    request = [service_name, country, capability, area_code, max_price]
    fingerprint = hashlib.sha256(json.dumps(request).encode()).hexdigest()
    if key and (first := _find_by_key(user, key)):
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
    with _admitted(offer) as admission:
        verification, replayed = _reserve(user, priced, area_code, key, fingerprint)
        if replayed:
            return _replay(verification, fingerprint)
        faults.point("buy.reserved")
        return Purchase(_order(verification, priced, admission), replayed=False)


@unit_of_work(durable=True)
def _reserve(
    user: User, priced: pricing.PricedOffer, area_code: str, key: str | None, fingerprint: str
) -> tuple[Verification, bool]:
    """Write the verification and the hold (T1). The wallet's lock orders one customer's purchases.

    Return also whether the key turned out to be known.
    """
    now = timezone.now()
    wallet.lock_wallet(user=user)
    if key and (first := _find_by_key(user, key)):
        return first, True
    _check_limits(user, now)
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


def _order(verification: Verification, priced: pricing.PricedOffer, admission: Admission) -> Verification:
    """Ask the provider, with no transaction open, and write its answer (T2)."""
    try:
        number = provider_calls.purchase(verification, admission)
    except remote.OutcomeUnknown as error:
        log.warning("The outcome of %s is unknown: %s", verification.pk, error)
        now = timezone.now()
        attempted = not isinstance(error, provider_calls.NotAttempted)
        next_recovery_at = now + timedelta(seconds=1 if attempted else 0)
        update_in_status(verification, answered_at=now, next_recovery_at=next_recovery_at)
        if attempted:
            purchase_outcome.report_unclear(verification=verification, now=now)
        verification.refresh_from_db()
        return verification
    except remote.RemoteError as error:
        faults.point("buy.answered")
        log.info("The provider refused %s: %s %s", verification.pk, type(error).__name__, error)
        refusal = refusals.refusal_of(error)
        failed = purchase_outcome.reject(verification=verification, why=refusals.why(error), now=timezone.now())
        if failed.status != Status.FAILED:  # recovery was quicker, and got a number
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


@contextmanager
def _admitted(offer: Offer) -> Iterator[Admission]:
    """Admit one order of the offer's service. Raises ProviderUnavailable while its breaker is open."""
    breaker = providers.purchase_breaker(offer.service.name, offer.provider)
    try:
        with breaker.admit() as admission:
            yield admission
    except Open as broken:
        sentence: str | Promise = _(
            "Our number provider is having trouble, so numbers can't be ordered right now. Try again in a minute."
        )
        if broken.name == breaker.name:
            sentence = _(
                "Our number provider has trouble with {service} just now. Try again in a minute, or choose another."
            ).format(service=offer.service.title)
        raise errors.ProviderUnavailable(sentence, retry_after=max(1, math.ceil(broken.retry_after))) from broken


def _check_limits(user: User, now: datetime) -> None:
    """Raise PurchasesFrozen or OverLimit. Call with the customer's wallet locked."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"user": user.pk, "since": now - HOUR, "open": list(OPEN)})
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
        recent = Verification.objects.filter(user=user, created_at__gt=now - HOUR).order_by("-created_at")
        times = recent.values_list("created_at", flat=True)
        raise OverLimit(
            _("You have bought {count} numbers in an hour, the most you can. Try again later.").format(
                count=settings.MAX_BUYS_PER_HOUR
            ),
            retry_after=seconds_to_wait(times, limit=settings.MAX_BUYS_PER_HOUR, now=now),
        )


def _find_by_key(user: User, key: str) -> Verification | None:
    return Verification.objects.select_related("user", "service").filter(user=user, idempotency_key=key).first()


def _replay(first: Verification, fingerprint: str) -> Purchase:
    if first.fingerprint != fingerprint:
        raise KeyReused
    left = first.created_at + timedelta(seconds=settings.IN_PROGRESS_SECONDS) - timezone.now()
    if first.answered_at is None and left > timedelta(0):
        raise errors.InProgress(retry_after=max(1, math.ceil(left.total_seconds())))
    return Purchase(first, replayed=True)
