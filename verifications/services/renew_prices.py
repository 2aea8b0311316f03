"""Renew the prices of the catalogue: those in most demand, and those longest due."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Count, F, Q

from config.lib.remote.errors import Rejected, RemoteError, Throttled
from verifications.catalogue_data import POPULAR, TEST_SERVICES
from verifications.models import Offer, Verification
from verifications.providers.base import OutOfStock
from verifications.services import provider_calls
from verifications.services.provider_calls import CallPolicy
from verifications.services.quotes import save_quote, spec_of

log = structlog.get_logger(__name__)

DEMAND_OVER = timedelta(days=7)


def renew_prices(*, provider: str, now: datetime) -> tuple[int, str]:
    """Ask for the prices that are due, one by one; call outside a transaction. Return how many, and what ended it.

    At most CATALOGUE_PRICES_PER_SYNC are asked for; a 429 ("throttled") or an outage ("unavailable") ends the run.
    """
    priced = 0
    for offer in _due(provider, now):
        try:
            quote = provider_calls.quote(provider, spec_of(offer), policy=CallPolicy.BACKGROUND)
            save_quote(offer=offer, quote=quote, now=now)
            priced += 1
        except OutOfStock:
            save_quote(offer=offer, quote=None, now=now)
        except Rejected as error:
            log.info("price_refused", service=offer.service.name, error=str(error))
            save_quote(offer=offer, quote=None, now=now, unsold=True)
        except RemoteError as error:
            log.warning("prices_stopped", priced=priced, error=f"{type(error).__name__} {error}")
            return priced, "throttled" if isinstance(error, Throttled) else "unavailable"
    return priced, ""


def _due(provider: str, now: datetime) -> list[Offer]:
    """Return the offers to price: half of them those in most demand, half those longest due.

    In most demand are the test services, then what was bought most in the last days, then what is popular in general.
    """
    most = settings.CATALOGUE_PRICES_PER_SYNC
    half_old = now - timedelta(seconds=settings.QUOTE_MAX_AGE_SECONDS / 2)  # it would be too old before the next run
    due = (
        Offer.objects.filter(Q(quoted_at=None) | Q(quoted_at__lte=half_old), provider=provider, active=True)
        .filter(service__blocked=False, service__category__blocked=False)
        .select_related("service")
    )
    recent = Verification.objects.filter(created_at__gt=now - DEMAND_OVER).values_list("service_id")
    bought = dict(recent.annotate(times=Count("pk")).order_by("-times")[:most])
    tests, popular = list(TEST_SERVICES), list(POPULAR)

    def place(offer: Offer) -> tuple[int, int]:
        name = offer.service.name
        if name in tests:
            return 0, tests.index(name)
        if offer.service_id in bought:
            return 1, -bought[offer.service_id]
        return 2, popular.index(name)

    wanted = due.filter(Q(service_id__in=bought) | Q(service__name__in=[*tests, *popular]))
    first = sorted(wanted, key=place)[: (most + 1) // 2]
    longest = due.exclude(pk__in=[offer.pk for offer in first]).order_by(F("quoted_at").asc(nulls_first=True), "pk")
    return [*first, *longest[: most - len(first)]][:most]
