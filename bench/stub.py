"""`bench.stub:application`: the product under WSGI with a provider that answers at once, to see our own rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from config.lib.remote.errors import RemoteError
from config.wsgi import application
from verifications import providers
from verifications.providers.base import Number, Quote, ServiceListing, Spec

__all__ = ["application"]


class FastProvider:
    """Sells whatever is asked for. Only what a purchase needs."""

    name = "textverified"

    def services(self) -> Sequence[ServiceListing]:
        return []

    def quote(self, spec: Spec) -> Quote:
        return Quote(spec.service, Decimal("0.25"), 500)

    def purchase(self, spec: Spec, *, key: str) -> Number:
        now = timezone.now()
        return Number(
            provider_id=key,
            phone_number="2015550100",
            service=spec.service,
            state="waiting",
            cost=Decimal("0.25"),
            created_at=now,
            expires_at=now + timedelta(minutes=15),
            can_cancel=True,
            can_report=True,
        )

    def fetch_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, Number | RemoteError]:
        return {}


_fast = FastProvider()
providers.by_name = lambda name: _fast  # type: ignore[assignment]
