"""Find an offer that is for sale and price it: from the catalogue, or for an area code by asking the provider."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from decimal import Decimal

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from config.lib.remote.errors import Rejected, RemoteError, Throttled
from verifications.catalogue_data import UNCLASSIFIED
from verifications.errors import OutOfStock, ProviderUnavailable, ServiceBlocked, UnknownService
from verifications.models import Offer
from verifications.providers.base import OutOfStock as NoneLeft
from verifications.services import provider_calls
from verifications.services.provider_calls import CallPolicy
from verifications.services.quotes import compute_price, refresh_quote, save_quote, spec_of

log = logging.getLogger(__name__)

AREA_COST_SECONDS = 300  # how long an answer for area codes is kept


@dataclass(frozen=True)
class PricedOffer:
    """An offer with its price of now: ours in cents, and the provider's cost that it was computed from."""

    offer: Offer
    cost: Decimal
    price: int


def price_service(
    *, service_name: str, country: str = "US", capability: str = "sms", area_code: str = ""
) -> PricedOffer:
    """Return the offer of a service with the price of one number. May ask the provider: call outside a transaction.

    Raises UnknownService, ServiceBlocked, OutOfStock, ProviderUnavailable.
    """
    return price_offer(offer_for_sale(service_name, country, capability), area_code)


def offer_for_sale(service_name: str, country: str, capability: str) -> Offer:
    """Return the offer, if it may be sold. Raises UnknownService, ServiceBlocked."""
    offers = Offer.objects.filter(service__name=service_name, provider=settings.PROVIDER, active=True)
    offer = offers.select_related("service__category").filter(country=country, capability=capability).first()
    if offer is None:
        if offers.exists():
            raise UnknownService(_("There are no numbers for this service in this country. Choose another country."))
        raise UnknownService
    if offer.service.category.slug == UNCLASSIFIED and not offer.service.blocked:
        raise ServiceBlocked(
            _("Numbers for {service} are not for sale yet: we have not looked at this service. Choose another.").format(
                service=offer.service.title
            )
        )
    if offer.service.blocked or offer.service.category.blocked:
        raise ServiceBlocked(
            _("Numbers for {service} can't be bought here, by our acceptable-use policy. Choose another.").format(
                service=offer.service.title
            )
        )
    return offer


def price_offer(offer: Offer, area_code: str) -> PricedOffer:
    """Return the offer with its price; `area_code` "" is any. Raises OutOfStock, ProviderUnavailable."""
    try:
        if area_code:
            known = cache.get(_area_cost_key(offer))  # the same for all area codes, as the provider prices them
            spec = replace(spec_of(offer), area_code=area_code)
            if known:
                cost = Decimal(known)
            else:
                cost = provider_calls.quote(offer.provider, spec, policy=CallPolicy.INTERACTIVE).cost
                cache.set(_area_cost_key(offer), str(cost), AREA_COST_SECONDS)
            price = compute_price(offer.service, cost)
        else:
            offer = refresh_quote(offer=offer, now=timezone.now())
            cost, price = offer.cost or Decimal(0), offer.price
    except (NoneLeft, Rejected) as error:
        raise OutOfStock from error
    except Throttled as error:
        raise ProviderUnavailable(retry_after=error.retry_after) from error
    except RemoteError as error:
        log.warning("No price for %s: %s %s", offer.service.name, type(error).__name__, error)
        raise ProviderUnavailable(retry_after=30) from error
    if not price or price > settings.MAX_PRICE_CENTS:
        raise OutOfStock
    return PricedOffer(offer, cost, price)


def requote(*, priced: PricedOffer, area_code: str) -> None:
    """Ask for the price again after the provider refused the old one, so that the next page shows it. Best effort."""
    cache.delete(_area_cost_key(priced.offer))
    if area_code:
        return
    try:
        found = provider_calls.quote(priced.offer.provider, spec_of(priced.offer), policy=CallPolicy.INTERACTIVE)
    except RemoteError as error:
        log.info("No new price for %s: %s %s", priced.offer.service.name, type(error).__name__, error)
        Offer.objects.filter(pk=priced.offer.pk).update(quoted_at=None)
        return
    save_quote(offer=priced.offer, quote=found, now=timezone.now())


def _area_cost_key(offer: Offer) -> str:
    return f"verifications:area-cost:{offer.pk}"
