"""Look up, in the provider's own list, the number of an order whose outcome is unknown, without ordering again."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from config.lib.remote.errors import OutcomeUnknown, RemoteError
from verifications import providers
from verifications.models import Status, Verification
from verifications.providers.base import PartialList, Sale

CLOCK_SKEW = timedelta(minutes=1)  # between the provider's clock and ours


class Undecided(OutcomeUnknown):
    """The list has numbers that may belong to this order or to another one that is still open: wait for that one."""


class Ambiguous(Exception):
    """More numbers than we have orders: other buyers use the account, and ours can't be told from theirs."""

    def __init__(self, candidates: Iterable[Sale]) -> None:
        super().__init__()
        self.candidates = list(candidates)


class ProviderSales:
    """What the providers sold us since a time. Each list is read once, when it is first asked for, by any thread."""

    def __init__(self, *, since: datetime) -> None:
        self._since = since
        self._lock = threading.Lock()
        self._read: dict[str, PartialList[Sale] | RemoteError] = {}

    def of(self, provider: str) -> PartialList[Sale]:
        """Return the provider's list. Raises RemoteError where it can't be read."""
        with self._lock:
            if provider not in self._read:
                try:
                    self._read[provider] = providers.by_name(provider).recent(since=self._since)
                except RemoteError as error:
                    self._read[provider] = error
            found = self._read[provider]
        if isinstance(found, RemoteError):
            raise found
        return found


def find_sale(order: Verification, provider_sales: ProviderSales) -> Sale | None:
    """Return the number that was sold for the order, None where the list proves that none was.

    By the key where the list shows it, else by service and time among the numbers that no verification has.
    Raises RemoteError (can't be read, or Undecided) and Ambiguous.
    """
    sales = provider_sales.of(order.provider)
    named = next((sale for sale in sales if sale.key == str(order.pk)), None)
    if named is not None:
        return named
    candidates = [sale for sale in sales if not sale.key and matches_order(order, sale)]
    ids = [sale.provider_id for sale in candidates]
    owned = Verification.objects.filter(provider=order.provider, provider_id__in=ids)
    taken = set(owned.values_list("provider_id", flat=True))
    candidates = [sale for sale in candidates if sale.provider_id not in taken]
    if not candidates:
        if sales.unreadable:
            raise OutcomeUnknown(f"{sales.unreadable} rows of the list can't be read")
        return None
    others = unresolved_orders(order.provider).filter(service=order.service_id).exclude(pk=order.pk)
    rivals = [other for other in others if any(matches_order(other, sale) for sale in candidates)]
    if any(rival.status == Status.REQUESTED for rival in rivals):
        raise Undecided(f"{len(candidates)} numbers for {1 + len(rivals)} orders")
    if len(candidates) > 1 + len(rivals) and not settings.PROVIDER_ACCOUNT_EXCLUSIVE:
        raise Ambiguous(candidates)
    return min(candidates, key=lambda sale: abs(sale.created_at - order.created_at))


def matches_order(order: Verification, sale: Sale) -> bool:
    """Return whether the sale is of the order's service, and of the time in which recovery repeats the order."""
    longest = timedelta(seconds=settings.RECOVER_GIVE_UP_SECONDS + settings.PROVIDER_TIMEOUT_SECONDS)
    in_time = order.created_at - CLOCK_SKEW <= sale.created_at <= order.created_at + longest + CLOCK_SKEW
    return in_time and sale.service.casefold() == order.service.name.casefold()


def unresolved_orders(provider: str) -> QuerySet[Verification]:
    """Return the orders that may have bought a number that we don't know of: open ones, and abandoned ones looked for.

    The abandoned ones are few: the partial index on `next_recovery_at` finds them.
    """
    abandoned = Verification.objects.filter(
        status=Status.FAILED, charged=False, provider_id="", next_recovery_at__isnull=False
    )
    open_ones = Verification.objects.filter(status=Status.REQUESTED)
    return (abandoned | open_ones).filter(provider=provider).select_related("service").order_by("created_at")
