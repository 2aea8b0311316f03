"""A provider whose answers and silences the breakers hear of. It refuses no call: who buys or polls asks before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from config.lib.breaker import Breaker
from verifications.providers.base import (
    IncomingText,
    Number,
    Provider,
    ProviderError,
    Quote,
    Sale,
    ServiceListing,
    Spec,
    is_outage,
)


class Counted:
    """Purchases count for one breaker; fetching, cancelling and reporting for the other; the catalogue for none."""

    def __init__(self, provider: Provider, *, purchases: Breaker, polls: Breaker) -> None:
        self.name = provider.name
        self._provider = provider
        self._purchases = purchases
        self._polls = polls

    def purchase(self, spec: Spec, *, key: str) -> Number:
        return self._purchases.call(lambda: self._provider.purchase(spec, key=key))

    def fetch(self, provider_id: str) -> Number:
        return self._polls.call(lambda: self._provider.fetch(provider_id))

    def fetch_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, Number | ProviderError]:
        """One answer among them says that the provider is up; only silence says that it is down."""
        found = self._provider.fetch_many(provider_ids, concurrency=concurrency)
        silences = sum(isinstance(answer, ProviderError) and is_outage(answer) for answer in found.values())
        if silences < len(found):
            self._polls.success()
        else:
            for _ in range(min(silences, settings.BREAKER_FAILURES)):
                self._polls.failure()
        return found

    def cancel(self, provider_id: str) -> None:
        self._polls.call(lambda: self._provider.cancel(provider_id))

    def report(self, provider_id: str) -> None:
        self._polls.call(lambda: self._provider.report(provider_id))

    def services(self) -> Sequence[ServiceListing]:
        return self._provider.services()

    def quote(self, spec: Spec) -> Quote:
        return self._provider.quote(spec)

    def recent(self, *, since: datetime) -> Sequence[Sale]:
        return self._provider.recent(since=since)

    def balance(self) -> Decimal:
        return self._provider.balance()

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes) -> IncomingText | None:
        return self._provider.parse_webhook(headers=headers, body=body)
