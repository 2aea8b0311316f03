"""Compute prices and keep them fresh: the provider's cost of an offer, times markup, or the price that staff fixed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db.models import BigIntegerField, DecimalField, ExpressionWrapper, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast, Ceil, Coalesce
from redis.exceptions import RedisError

from config.lib import money
from config.lib.remote.errors import Rejected, RemoteError, Unavailable
from verifications.models import Offer, Service
from verifications.providers.base import OutOfStock, Quote, Spec
from verifications.services import provider_calls
from verifications.services.provider_calls import CallPolicy

log = structlog.get_logger(__name__)


def refresh_quote(*, offer: Offer, now: datetime) -> Offer:
    """Return the offer with a price not older than QUOTE_MAX_AGE_SECONDS. May ask the provider: no transaction.

    One request serves all that come at the same time. Where the provider does not answer, an older price stays: a
    purchase never costs more than it, since the order names our limit. Raises RemoteError where there is none; `price`
    is None where the provider does not sell the offer.
    """
    if _is_fresh(offer, now):
        return offer
    with _single_flight(offer, wait=offer.price is None) as mine:
        current = Offer.objects.select_related("service__category").get(pk=offer.pk)
        if _is_fresh(current, now):
            return current
        if not mine:
            return _or_stale(current, Unavailable("being asked for"))
        try:
            quote = provider_calls.quote(current.provider, spec_of(current), policy=CallPolicy.INTERACTIVE)
        except OutOfStock:
            return save_quote(offer=current, quote=None, now=now)
        except Rejected:
            return save_quote(offer=current, quote=None, now=now, unsold=True)
        except RemoteError as error:
            log.warning("no_quote", service=current.service.name, error=f"{type(error).__name__} {error}")
            return _or_stale(current, error)
        return save_quote(offer=current, quote=quote, now=now)


def save_quote(*, offer: Offer, quote: Quote | None, now: datetime, unsold: bool = False) -> Offer:
    """Save what the provider answered: a quote, None for out of stock, `unsold` where it has no price for it."""
    if quote is not None:
        offer.cost, offer.stock = quote.cost, quote.stock
        offer.price = compute_price(offer.service, quote.cost)
    elif unsold:
        offer.cost, offer.price, offer.stock = None, None, None
    else:
        offer.stock = 0
    offer.quoted_at = now
    offer.save(update_fields=["cost", "price", "stock", "quoted_at"])
    return offer


def compute_price(service: Service, cost: Decimal) -> int | None:
    """Return our price in cents for a cost, None for a cost of nothing: then it is not for sale."""
    return service.fixed_price or money.price(cost, settings.MARKUP) or None


def update_prices(*, service: Service | None = None) -> int:
    """Bring the prices of all offers (or one service's) in line with markup and fixed prices. Return their number."""
    in_cents = ExpressionWrapper(
        F("cost") * Value(settings.MARKUP) * 100, output_field=DecimalField(max_digits=20, decimal_places=8)
    )
    fixed = Service.objects.filter(pk=OuterRef("service_id")).values("fixed_price")[:1]
    offers = Offer.objects.filter(cost__gt=0) if service is None else Offer.objects.filter(cost__gt=0, service=service)
    right = Coalesce(Subquery(fixed), Cast(Ceil(in_cents), BigIntegerField()))
    return offers.annotate(right=right).filter(~Q(price=F("right")) | Q(price=None)).update(price=right)


def spec_of(offer: Offer) -> Spec:
    """Return what the provider is asked for, with any area code."""
    return Spec(service=offer.service.name, country=offer.country, capability=offer.capability)


def _is_fresh(offer: Offer, now: datetime) -> bool:
    oldest = now - timedelta(seconds=settings.QUOTE_MAX_AGE_SECONDS)
    return offer.quoted_at is not None and offer.quoted_at > oldest


def _or_stale(offer: Offer, error: RemoteError) -> Offer:
    if offer.price is None:
        raise error
    return offer


@contextlib.contextmanager
def _single_flight(offer: Offer, *, wait: bool) -> Iterator[bool]:
    """Yield True to one caller at a time, who asks, and False to those that come meanwhile; `wait` lets them wait.

    Without Redis each asks: a second question costs little, no answer costs a sale.
    """
    lock: Any = None
    try:
        lock = cache.lock(  # type: ignore[attr-defined]
            f"verifications:quote:{offer.pk}", timeout=settings.PROVIDER_TIMEOUT_SECONDS + 5, sleep=0.05
        )
        mine = lock.acquire(blocking=False)
        if wait and not mine:
            with provider_calls.quote_place(offer.provider):
                mine = lock.acquire(blocking=True, blocking_timeout=settings.VENDOR_PATIENCE_SECONDS)
    except (RedisError, OSError):
        lock, mine = None, True
    try:
        yield mine
    finally:
        if lock is not None and mine:
            with contextlib.suppress(RedisError, OSError):  # it ends by itself
                lock.release()
