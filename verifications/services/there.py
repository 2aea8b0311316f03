"""What we ask of the provider about one of our rows. Each call tells the breaker of its kind how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings

from verifications import providers
from verifications.models import Verification
from verifications.providers.base import Number, ProviderError, Spec, Throttled

Answers = Mapping[UUID, Number | ProviderError]


def purchase(verification: Verification) -> Number:
    """Buy, or learn what an earlier try bought: the key is our id, and the request is always the same."""
    spec = Spec(
        service=verification.service.name,
        country=verification.country,
        capability=verification.capability,
        area_code=verification.area_code,
        max_cost=verification.cost,  # until the sale: what our price was computed from
    )
    provider = providers.by_name(verification.provider)
    return providers.purchase_breaker().call(lambda: provider.purchase(spec, key=str(verification.pk)))


def fetch(verification: Verification) -> Number:
    provider = providers.by_name(verification.provider)
    return providers.poll_breaker().call(lambda: provider.fetch(verification.provider_id))


def cancel(verification: Verification) -> None:
    provider = providers.by_name(verification.provider)
    providers.poll_breaker().call(lambda: provider.cancel(verification.provider_id))


def report(verification: Verification) -> None:
    provider = providers.by_name(verification.provider)
    providers.poll_breaker().call(lambda: provider.report(verification.provider_id))


def fetch_many(verifications: Sequence[Verification]) -> Answers:
    """What the provider says of each, or why it says nothing, by our id."""
    answers: dict[UUID, Number | ProviderError] = {}
    for name in {verification.provider for verification in verifications}:
        mine = [verification for verification in verifications if verification.provider == name]
        answers |= _fetch_many(name, mine)
    return answers


def _fetch_many(name: str, mine: Sequence[Verification]) -> Answers:
    found: Mapping[str, Number | ProviderError]
    try:
        found = providers.by_name(name).fetch_many(
            [verification.provider_id for verification in mine], concurrency=settings.POLL_CONCURRENCY
        )
    except ProviderError as error:
        found = {verification.provider_id: error for verification in mine}
    outages = [answer for answer in found.values() if isinstance(answer, Exception) and providers.is_outage(answer)]
    if len(outages) < len(found):
        providers.poll_breaker().success()
    elif outages:
        providers.poll_breaker().failure()
    return {verification.pk: found[verification.provider_id] for verification in mine}


def longest_wait(answers: Answers) -> float:
    """Seconds for which the provider asks us to be silent; 0 where it doesn't."""
    return max((answer.retry_after for answer in answers.values() if isinstance(answer, Throttled)), default=0.0)
