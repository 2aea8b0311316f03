"""What we ask of the provider about one of our rows. Each call tells the breaker of its kind how it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from verifications import providers
from verifications.models import Verification
from verifications.providers.base import Number, Provider, ProviderError, Spec, Throttled

T = TypeVar("T")
Answers = Mapping[UUID, Number | ProviderError]
Many = Callable[[Provider, Sequence[str]], Mapping[str, T | ProviderError]]


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
    return _of_many(verifications, lambda one, ids: one.fetch_many(ids, concurrency=settings.POLL_CONCURRENCY))


def report_many(verifications: Sequence[Verification]) -> Mapping[UUID, ProviderError | None]:
    """`report` for many at once: None where it was done."""
    return _of_many(verifications, lambda one, ids: one.report_many(ids, concurrency=settings.POLL_CONCURRENCY))


def _of_many(verifications: Sequence[Verification], ask: Many[T]) -> dict[UUID, T | ProviderError]:
    answers: dict[UUID, T | ProviderError] = {}
    for name in {verification.provider for verification in verifications}:
        mine = [verification for verification in verifications if verification.provider == name]
        answers |= _of_one_provider(name, mine, ask)
    return answers


def _of_one_provider(name: str, mine: Sequence[Verification], ask: Many[T]) -> dict[UUID, T | ProviderError]:
    found: Mapping[str, T | ProviderError]
    try:
        found = ask(providers.by_name(name), [verification.provider_id for verification in mine])
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
