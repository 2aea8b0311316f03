"""The catalogue, as the provider lists it. What staff set (title, category, block, fixed price) stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Max, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from config.lib import money
from config.lib.unit_of_work import unit_of_work
from verifications import catalogue_data, errors, providers, signals
from verifications.models import Category, Offer, Service
from verifications.services.provider_balance import check_balance
from verifications.services.quotes import update_prices
from verifications.services.renew_prices import renew_prices

log = structlog.get_logger(__name__)

COUNTRY = "US"  # the only one that the provider has
CAPABILITY = "sms"
RATE_OVER = timedelta(days=7)
RATE_MIN_SALES = 5  # a share of fewer says nothing
_MAX_LOST_SHARE = 5  # a list that lacks more than one in so many offers is likelier broken than true


@dataclass(frozen=True)
class Summary:
    """`stopped` says why not all prices that were due were asked for ("" where they were).

    `unreadable` rows of the list were left out. Where the list lacked more than a fifth of `for_sale`, it was not taken
    over: `refused` is how many it lacked, 0 where it was.
    """

    services: int
    added: int
    gone: int
    unreadable: int
    for_sale: int
    refused: int
    priced: int
    stopped: str
    balance: Decimal | None


def sync_catalogue(*, now: datetime, force: bool = False) -> Summary:
    """List the services, renew the prices that are due, check our balance. Idempotent, and safe to run twice at once.

    At most CATALOGUE_PRICES_PER_SYNC prices are asked for in a run; a 429 or an outage ends it with what it has.
    A list that lacks more than a fifth of what is for sale is not taken over, unless by `force`; staff are alerted.
    Raises RemoteError where the list itself can't be read.
    """
    provider = providers.current()
    listed = providers.operation_breaker("catalogue").call(provider.services)
    listings = [listing for listing in listed if listing.capability == CAPABILITY]
    names = {listing.name.casefold(): listing.name for listing in listings if 0 < len(listing.name) <= 80}
    offers = _offers_of(provider.name).filter(service__blocked=False, service__category__blocked=False)
    sold = [name.casefold() for name in offers.values_list("service__name", flat=True)]
    lacking = sum(name not in names for name in sold)
    refused = lacking if lacking * _MAX_LOST_SHARE > len(sold) and not force else 0
    added, gone = (0, 0) if refused else _take_over(provider.name, names, now)
    if refused:
        counts = {"provider": provider.name, "listed": len(listings), "lacking": refused, "for_sale": len(sold)}
        log.critical("catalogue_refused", **counts)
        with unit_of_work():
            signals.catalogue_refused.send(sender=Offer, **counts)
    update_prices()
    priced, stopped = renew_prices(provider=provider.name, now=now)
    update_success_rates(now=now)
    return Summary(
        services=len(listings),
        added=added,
        gone=gone,
        unreadable=listed.unreadable,
        for_sale=len(sold),
        refused=refused,
        priced=priced,
        stopped=stopped,
        balance=check_balance(provider=provider),
    )


def ensure_categories() -> dict[str, Category]:
    """Return the shipped categories, by slug. Create those that are missing; the others stay as they are."""
    Category.objects.bulk_create(
        [
            Category(
                slug=kind.slug,
                name=kind.name,
                blocked=kind.blocked or (kind.slug == catalogue_data.TESTING and not settings.SELL_TEST_SERVICES),
            )
            for kind in catalogue_data.CATEGORIES
        ],
        ignore_conflicts=True,
    )
    return {category.slug: category for category in Category.objects.all()}


@unit_of_work()
def save_service(*, service: Service, below_cost: bool = False) -> None:
    """Save what staff changed of a service, and its price with it. Raises BelowCost, unless that is confirmed."""
    if not below_cost:
        refuse_below_cost(service=service)
    service.save()
    update_prices(service=service)


def refuse_below_cost(*, service: Service) -> None:
    """Raise BelowCost where the fixed price is less than the provider asks for one of the service's numbers."""
    if service.fixed_price is None or service.pk is None:
        return
    cost = service.offers.filter(active=True).aggregate(most=Max("cost"))["most"]
    if cost is not None and service.fixed_price < cost * 100:
        raise errors.BelowCost(
            _("{price} is below what a number for {service} costs us, {cost}: each sale would be a loss.").format(
                price=money.display(service.fixed_price),
                service=service.title,
                cost=money.display(money.price(cost, Decimal(1))),
            )
        )


def _offers_of(provider: str) -> QuerySet[Offer]:
    return Offer.objects.filter(provider=provider, country=COUNTRY, capability=CAPABILITY, active=True)


@unit_of_work()
def _take_over(provider: str, names: Mapping[str, str], now: datetime) -> tuple[int, int]:
    """Add new services and offers, take off sale what the provider no longer lists. Return how many of each.

    `names` are those that it lists, by their casefolded form.
    """
    if not names:
        return 0, 0
    here = Service.objects.annotate(folded=Lower("name")).filter(folded__in=[name.lower() for name in names.values()])
    known = {name.casefold() for name in here.values_list("name", flat=True)}
    added = sorted(name for folded, name in names.items() if folded not in known)
    _add_services(added)
    listed = list(here.order_by("pk").values_list("pk", flat=True))
    Offer.objects.bulk_create(
        [
            Offer(service_id=pk, country=COUNTRY, provider=provider, capability=CAPABILITY, synced_at=now)
            for pk in listed
        ],
        update_conflicts=True,
        unique_fields=["service", "country", "provider", "capability"],
        update_fields=["active", "synced_at"],
        batch_size=1000,
    )
    return len(added), _offers_of(provider).exclude(service__in=listed).update(active=False)


def _add_services(names: Sequence[str]) -> None:
    categories = ensure_categories()
    rows = []
    for name in names:
        known = catalogue_data.known(name)
        category = categories[known.category]
        rows.append(Service(name=name, title=known.title, category=category, blocked=known.blocked))
    Service.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


_RATES = """
UPDATE verifications_offer AS offer
SET success_rate = now.rate
FROM (
    SELECT o.id, CASE WHEN count(v.id) >= %(least)s
        THEN round(count(v.id) FILTER (WHERE v.status = 'completed') / count(v.id)::numeric, 4) END AS rate
    FROM verifications_offer AS o
    LEFT JOIN verifications_verification AS v
        ON v.service_id = o.service_id AND v.country = o.country AND v.provider = o.provider
        AND v.capability = o.capability AND v.charged AND v.ended_at > %(since)s AND v.ended_at <= %(now)s
    GROUP BY o.id
) AS now
WHERE now.id = offer.id AND offer.success_rate IS DISTINCT FROM now.rate
"""


def update_success_rates(*, now: datetime) -> int:
    """Set each offer's share of charged numbers that got a code in the 7 days before `now`. Return how many changed."""
    with connection.cursor() as cursor:
        cursor.execute(_RATES, {"least": RATE_MIN_SALES, "since": now - RATE_OVER, "now": now})
        return cursor.rowcount
