"""What a purchase costs now. The catalogue knows most prices; the rest is asked of the provider, and kept a while."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from config.lib import money
from verifications import providers
from verifications.errors import OutOfStock, ProviderUnavailable, ServiceBlocked, UnknownService
from verifications.models import Offer
from verifications.providers.base import ProviderError, Rejected, Spec, Throttled

log = logging.getLogger(__name__)

KEPT_SECONDS = 300


@dataclass(frozen=True)
class Deal:
    """An offer as it is sold now: our price in cents, and the provider's cost that it was computed from."""

    offer: Offer
    cost: Decimal
    price: int


def quote(*, service_name: str, country: str = "US", capability: str = "sms", area_code: str = "") -> Deal:
    """The price of one number. Asks the provider where the catalogue has none: call outside a transaction.

    Raises UnknownService, ServiceBlocked, OutOfStock, ProviderUnavailable.
    """
    offer = _offer(service_name, country, capability)
    if not area_code and offer.cost is not None and offer.price is not None:
        return Deal(offer, offer.cost, offer.price)
    key = _key(offer, area_code)
    cost = cache.get(key)
    if cost is None:
        cost = _ask(offer, area_code)
        cache.set(key, cost, KEPT_SECONDS)
    return Deal(offer, cost, offer.service.fixed_price or money.price(cost, settings.MARKUP))


def ask_again(*, deal: Deal, area_code: str) -> None:
    """The provider's price has moved: learn the new one, so that the next look at it is right. Best effort."""
    cache.delete(_key(deal.offer, area_code))
    if area_code:
        return
    try:
        cost = _ask(deal.offer, "")
    except (ProviderUnavailable, OutOfStock):
        return
    price = deal.offer.service.fixed_price or money.price(cost, settings.MARKUP)
    Offer.objects.filter(pk=deal.offer.pk).update(cost=cost, price=price, quoted_at=timezone.now())


def _offer(service_name: str, country: str, capability: str) -> Offer:
    offers = Offer.objects.select_related("service__category").filter(
        service__name=service_name, country=country, capability=capability, provider=settings.PROVIDER, active=True
    )
    offer = offers.first()
    if offer is None:
        raise UnknownService
    if offer.service.blocked or offer.service.category.blocked:
        raise ServiceBlocked(
            _("Numbers for {service} can't be bought here, by our acceptable-use policy. Choose another.").format(
                service=offer.service.title
            )
        )
    return offer


def _ask(offer: Offer, area_code: str) -> Decimal:
    spec = Spec(service=offer.service.name, country=offer.country, capability=offer.capability, area_code=area_code)
    try:
        return providers.by_name(offer.provider).quote(spec).cost
    except Rejected as error:
        raise OutOfStock from error
    except Throttled as error:
        raise ProviderUnavailable(retry_after=error.retry_after) from error
    except ProviderError as error:
        log.warning("No price for %s: %s", offer.service.name, error)
        raise ProviderUnavailable(retry_after=30) from error


def _key(offer: Offer, area_code: str) -> str:
    return f"verifications:cost:{offer.pk}:{'area' if area_code else 'any'}"
