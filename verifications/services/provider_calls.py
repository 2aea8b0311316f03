"""Calls to the provider about one of our verifications. Each reports its outcome to the operation's breaker."""

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
BUSY_RETRY_SECONDS = 2  # after so long a place is likely free again
BatchCall = Callable[[Provider, Sequence[str]], Mapping[str, T | RemoteError]]


class CallPolicy(Enum):
    """Limits on a call: INTERACTIVE heeds patience and breaker, BACKGROUND the breaker alone, RECOVERY neither."""

    INTERACTIVE = auto()
    BACKGROUND = auto()
    RECOVERY = auto()


class BreakerOpen(Unavailable):
    """The operation's breaker is open: the provider was not asked."""


class NotAttempted(OutcomeUnknown):
    """So many wait for the provider already that it was not asked: recovery asks."""


def purchase(verification: Verification) -> Number:
    """Buy, for the customer who waits, within their patience. The breaker's `check` went before.

    Raises OutcomeUnknown (NotAttempted) where recovery has to go on, besides what the provider's `purchase` raises.
    """
    service = verification.service.name
    breaker = providers.purchase_breaker(service, verification.provider)
    try:
        return _run_with_patience(
            verification.provider, "purchase", lambda: breaker.call(_purchase_call(verification)), subject=service
        )
    except NotAttempted:
        breaker.release()
        raise


def replay(verification: Verification) -> Number:
    """Learn what an earlier try bought, or buy now: the key is our id, and the request is always the same.

    For recovery, which no breaker stops and whose outcome none counts.
    """
    return _purchase_call(verification)()


def _purchase_call(verification: Verification) -> Callable[[], Number]:
    spec = Spec(
        service=verification.service.name,
        country=verification.country,
        capability=verification.capability,
        area_code=verification.area_code,
        max_cost=verification.cost,  # until the sale: what our price was computed from
    )
    provider = providers.by_name(verification.provider)
    return lambda: provider.purchase(spec, key=str(verification.pk))


def quote(provider: str, spec: Spec, *, policy: CallPolicy) -> Quote:
    """What one such number costs there now. Raises BreakerOpen while the breaker of quotes is open."""
    one = providers.by_name(provider)
    breaker = providers.operation_breaker("quote", provider)
    _check_breaker(breaker)
    work = partial(breaker.call, lambda: one.quote(spec), subject=spec.service)
    if policy is not CallPolicy.INTERACTIVE:
        return work()
    try:
        return _run_with_patience(provider, "quote", work, subject=spec.service)
    except NotAttempted as error:
        breaker.release()
        raise Throttled(str(error), retry_after=BUSY_RETRY_SECONDS) from error
    except OutcomeUnknown as error:
        raise Unavailable(str(error)) from error


@contextmanager
def quote_place(provider: str) -> Iterator[None]:
    """For who waits for another's question about the same price: that takes a place too. Raises Throttled."""
    try:
        with bulkhead(provider, "quote").place():
            yield
    except Full as error:
        raise Throttled(str(error), retry_after=BUSY_RETRY_SECONDS) from error


def fetch(verification: Verification, *, policy: CallPolicy = CallPolicy.BACKGROUND) -> Number:
    provider = providers.by_name(verification.provider)
    return _ask(verification, "fetch", lambda: provider.fetch(verification.provider_id), policy)


def cancel(verification: Verification, *, policy: CallPolicy = CallPolicy.BACKGROUND) -> None:
    """Give the number back. Raises BreakerOpen while its breaker is open, unless recovery asks."""
    provider = providers.by_name(verification.provider)
    _ask(verification, "cancel", lambda: provider.cancel(verification.provider_id), policy, refuse=True)


def report(verification: Verification, *, policy: CallPolicy = CallPolicy.BACKGROUND) -> None:
    """Say that the number never worked. Raises BreakerOpen while its breaker is open, unless recovery asks."""
    provider = providers.by_name(verification.provider)
    _ask(verification, "report", lambda: provider.report(verification.provider_id), policy, refuse=True)


def _ask(
    verification: Verification, operation: str, work: Callable[[], T], policy: CallPolicy, *, refuse: bool = False
) -> T:
    if policy is CallPolicy.RECOVERY:
        return work()
    breaker = providers.operation_breaker(operation, verification.provider)
    if refuse:
        _check_breaker(breaker)

    def counted() -> T:
        return breaker.call(work, subject=verification.provider_id)

    if policy is CallPolicy.BACKGROUND:
        return counted()
    try:
        # A look at a number that could not be cancelled is a part of the cancel.
        return _run_with_patience(verification.provider, "cancel", counted)
    except NotAttempted:
        if refuse:
            breaker.release()
        raise


def _check_breaker(breaker: Breaker) -> None:
    try:
        breaker.check()
    except Open as error:
        raise BreakerOpen(str(error)) from error


def _run_with_patience(provider: str, operation: str, work: Callable[[], T], *, subject: str = "") -> T:
    try:
        return bulkhead(provider, operation).run(work, patience=settings.VENDOR_PATIENCE_SECONDS, subject=subject)
    except Full as error:
        raise NotAttempted(str(error)) from error
    except StillRunning as error:
        raise OutcomeUnknown(str(error)) from error


def fetch_many(verifications: Sequence[Verification]) -> Answers:
    """What the provider says of each, or why it says nothing, by our id."""
    return _call_for_many(
        verifications, "fetch", lambda one, ids: one.fetch_many(ids, concurrency=settings.POLL_CONCURRENCY)
    )


def report_many(verifications: Sequence[Verification]) -> Mapping[UUID, RemoteError | None]:
    """`report` for many at once: None where it was done."""

    def ask(provider: Provider, ids: Sequence[str]) -> Mapping[str, RemoteError | None]:
        _check_breaker(providers.operation_breaker("report", provider.name))
        return provider.report_many(ids, concurrency=settings.POLL_CONCURRENCY)

    return _call_for_many(verifications, "report", ask)


def _call_for_many(
    verifications: Sequence[Verification], operation: str, ask: BatchCall[T]
) -> dict[UUID, T | RemoteError]:
    answers: dict[UUID, T | RemoteError] = {}
    for name in {verification.provider for verification in verifications}:
        mine = [verification for verification in verifications if verification.provider == name]
        answers |= _of_one_provider(name, operation, mine, ask)
    return answers


def _of_one_provider(
    name: str, operation: str, mine: Sequence[Verification], ask: BatchCall[T]
) -> dict[UUID, T | RemoteError]:
    breaker = providers.operation_breaker(operation, name)
    found: Mapping[str, T | RemoteError]
    try:
        found = ask(providers.by_name(name), [verification.provider_id for verification in mine])
    except BreakerOpen as error:
        return {verification.pk: error for verification in mine}
    except RemoteError as error:
        found = {verification.provider_id: error for verification in mine}
    outages = [answer for answer in found.values() if isinstance(answer, Exception) and providers.is_outage(answer)]
    if len(outages) < len(found):
        breaker.success()
    elif outages:
        breaker.failure(*found)
    return {verification.pk: found[verification.provider_id] for verification in mine}


def longest_wait(answers: Answers) -> float:
    """Seconds for which the provider asks us to be silent; 0 where it doesn't."""
    return max((answer.retry_after for answer in answers.values() if isinstance(answer, Throttled)), default=0.0)
