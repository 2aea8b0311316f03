"""What we ask of the provider about one of our rows. Each call tells its operation's breaker how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from config.lib.remote.breaker import Breaker, Open
from config.lib.remote.bulkhead import Full, StillRunning, bulkhead
from config.lib.remote.errors import OutcomeUnknown, RemoteError, Throttled, Unavailable
from verifications import providers
from verifications.models import Verification
from verifications.providers.base import Number, Provider, Quote, Spec

T = TypeVar("T")
Answers = Mapping[UUID, Number | RemoteError]
BUSY_SECONDS = 2  # after so long a place is likely free again
Many = Callable[[Provider, Sequence[str]], Mapping[str, T | RemoteError]]


class Asker(Enum):
    """For whom the provider is asked: CUSTOMER waits, a little; SCHEDULE doesn't; RECOVERY goes past all breakers."""

    CUSTOMER = auto()
    SCHEDULE = auto()
    RECOVERY = auto()


class Refused(Unavailable):
    """The operation's breaker is open: the provider was not asked."""


class NotAsked(OutcomeUnknown):
    """So many wait for the provider already that it was not asked: recovery asks."""


def purchase(verification: Verification) -> Number:
    """Buy, for the customer who waits, within their patience. The breaker's `check` went before.

    Raises OutcomeUnknown (NotAsked) where recovery has to go on, besides what the provider's `purchase` raises.
    """
    service = verification.service.name
    guard = providers.purchase_breaker(service, verification.provider)
    try:
        return _within_patience(
            verification.provider, "purchase", lambda: guard.call(_order(verification)), subject=service
        )
    except NotAsked:
        guard.release()
        raise


def replay(verification: Verification) -> Number:
    """Learn what an earlier try bought, or buy now: the key is our id, and the request is always the same.

    For recovery, which no breaker stops and whose outcome none counts.
    """
    return _order(verification)()


def _order(verification: Verification) -> Callable[[], Number]:
    spec = Spec(
        service=verification.service.name,
        country=verification.country,
        capability=verification.capability,
        area_code=verification.area_code,
        max_cost=verification.cost,  # until the sale: what our price was computed from
    )
    provider = providers.by_name(verification.provider)
    return lambda: provider.purchase(spec, key=str(verification.pk))


def quote(provider: str, spec: Spec, *, by: Asker) -> Quote:
    """What one such number costs there now. Raises Refused while the breaker of quotes is open."""
    one = providers.by_name(provider)
    guard = providers.operation_breaker("quote", provider)
    _check(guard)
    work = partial(guard.call, lambda: one.quote(spec), subject=spec.service)
    if by is not Asker.CUSTOMER:
        return work()
    try:
        return _within_patience(provider, "quote", work, subject=spec.service)
    except NotAsked as error:
        guard.release()
        raise Throttled(str(error), retry_after=BUSY_SECONDS) from error
    except OutcomeUnknown as error:
        raise Unavailable(str(error)) from error


@contextmanager
def waiting_for_quote(provider: str) -> Iterator[None]:
    """For who waits for another's question about the same price: that takes a place too. Raises Throttled."""
    try:
        with bulkhead(provider, "quote").place():
            yield
    except Full as error:
        raise Throttled(str(error), retry_after=BUSY_SECONDS) from error


def fetch(verification: Verification, *, by: Asker = Asker.SCHEDULE) -> Number:
    provider = providers.by_name(verification.provider)
    return _ask(verification, "fetch", lambda: provider.fetch(verification.provider_id), by)


def cancel(verification: Verification, *, by: Asker = Asker.SCHEDULE) -> None:
    """Give the number back. Raises Refused while its breaker is open, unless recovery asks."""
    provider = providers.by_name(verification.provider)
    _ask(verification, "cancel", lambda: provider.cancel(verification.provider_id), by, refuse=True)


def report(verification: Verification, *, by: Asker = Asker.SCHEDULE) -> None:
    """Say that the number never worked. Raises Refused while its breaker is open, unless recovery asks."""
    provider = providers.by_name(verification.provider)
    _ask(verification, "report", lambda: provider.report(verification.provider_id), by, refuse=True)


def _ask(verification: Verification, operation: str, work: Callable[[], T], by: Asker, *, refuse: bool = False) -> T:
    if by is Asker.RECOVERY:
        return work()
    guard = providers.operation_breaker(operation, verification.provider)
    if refuse:
        _check(guard)

    def counted() -> T:
        return guard.call(work, subject=verification.provider_id)

    if by is Asker.SCHEDULE:
        return counted()
    try:
        # A look at a number that could not be cancelled is a part of the cancel.
        return _within_patience(verification.provider, "cancel", counted)
    except NotAsked:
        if refuse:
            guard.release()
        raise


def _check(guard: Breaker) -> None:
    try:
        guard.check()
    except Open as error:
        raise Refused(str(error)) from error


def _within_patience(provider: str, operation: str, work: Callable[[], T], *, subject: str = "") -> T:
    try:
        return bulkhead(provider, operation).run(work, patience=settings.VENDOR_PATIENCE_SECONDS, subject=subject)
    except Full as error:
        raise NotAsked(str(error)) from error
    except StillRunning as error:
        raise OutcomeUnknown(str(error)) from error


def fetch_many(verifications: Sequence[Verification]) -> Answers:
    """What the provider says of each, or why it says nothing, by our id."""
    return _of_many(verifications, "fetch", lambda one, ids: one.fetch_many(ids, concurrency=settings.POLL_CONCURRENCY))


def report_many(verifications: Sequence[Verification]) -> Mapping[UUID, RemoteError | None]:
    """`report` for many at once: None where it was done."""

    def ask(provider: Provider, ids: Sequence[str]) -> Mapping[str, RemoteError | None]:
        _check(providers.operation_breaker("report", provider.name))
        return provider.report_many(ids, concurrency=settings.POLL_CONCURRENCY)

    return _of_many(verifications, "report", ask)


def _of_many(verifications: Sequence[Verification], operation: str, ask: Many[T]) -> dict[UUID, T | RemoteError]:
    answers: dict[UUID, T | RemoteError] = {}
    for name in {verification.provider for verification in verifications}:
        mine = [verification for verification in verifications if verification.provider == name]
        answers |= _of_one_provider(name, operation, mine, ask)
    return answers


def _of_one_provider(
    name: str, operation: str, mine: Sequence[Verification], ask: Many[T]
) -> dict[UUID, T | RemoteError]:
    guard = providers.operation_breaker(operation, name)
    found: Mapping[str, T | RemoteError]
    try:
        found = ask(providers.by_name(name), [verification.provider_id for verification in mine])
    except Refused as error:
        return {verification.pk: error for verification in mine}
    except RemoteError as error:
        found = {verification.provider_id: error for verification in mine}
    outages = [answer for answer in found.values() if isinstance(answer, Exception) and providers.is_outage(answer)]
    if len(outages) < len(found):
        guard.success()
    elif outages:
        guard.failure(*found)
    return {verification.pk: found[verification.provider_id] for verification in mine}


def longest_wait(answers: Answers) -> float:
    """Seconds for which the provider asks us to be silent; 0 where it doesn't."""
    return max((answer.retry_after for answer in answers.values() if isinstance(answer, Throttled)), default=0.0)
