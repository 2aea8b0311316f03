"""Calls to the provider about one of our verifications. Each reports its outcome to the operation's breaker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from config.lib.remote.breaker import Admission, Open
from config.lib.remote.bulkhead import Full, StillRunning, bulkhead
from config.lib.remote.errors import OutcomeUnknown, RemoteError, Throttled, Unavailable
from verifications import providers
from verifications.models import Verification
from verifications.providers.base import Number, Provider, Quote, Spec

T = TypeVar("T")
Answers = Mapping[UUID, Number | RemoteError]
BatchCall = Callable[[Provider, Sequence[str]], Mapping[str, T | RemoteError]]
BUSY_RETRY_SECONDS = 2  # after so long a place is likely free again


class CallPolicy(Enum):
    """Limits on a call: INTERACTIVE heeds patience and breaker, BACKGROUND the breaker alone, RECOVERY neither."""

    INTERACTIVE = auto()
    BACKGROUND = auto()
    RECOVERY = auto()


class BreakerOpen(Unavailable):
    """The operation's breaker is open: the provider was not asked."""


class NotAttempted(OutcomeUnknown):
    """So many wait for the provider already that it was not asked: recovery asks."""


def purchase(verification: Verification, admission: Admission) -> Number:
    """Buy the number for a customer who waits, within VENDOR_PATIENCE_SECONDS; `admission` is of its breaker.

    Raises what the provider's `purchase` raises. OutcomeUnknown (NotAttempted, where it was not asked) is left to
    recovery.
    """
    return _run_with_patience(
        verification.provider,
        "purchase",
        lambda: admission.call(lambda: replay_purchase(verification)),
        subject=verification.service.name,
    )


def replay_purchase(verification: Verification) -> Number:
    """Return the number that an earlier try bought, or buy it now: the key is our id, the request always the same.

    For recovery, which heeds no breaker and reports to none.
    """
    spec = Spec(
        service=verification.service.name,
        country=verification.country,
        capability=verification.capability,
        area_code=verification.area_code,
        max_cost=verification.cost,  # until the sale: what our price was computed from
    )
    return providers.by_name(verification.provider).purchase(spec, key=str(verification.pk))


def quote(provider: str, spec: Spec, *, policy: CallPolicy) -> Quote:
    """Return what one such number costs at the provider now. Raises BreakerOpen, and what the provider's quote does."""
    with _admitted("quote", provider) as admission:
        ask = partial(admission.call, lambda: providers.by_name(provider).quote(spec), subject=spec.service)
        if policy is not CallPolicy.INTERACTIVE:
            return ask()
        try:
            return _run_with_patience(provider, "quote", ask, subject=spec.service)
        except NotAttempted as error:
            raise Throttled(str(error), retry_after=BUSY_RETRY_SECONDS) from error
        except OutcomeUnknown as error:
            raise Unavailable(str(error)) from error


@contextmanager
def quote_place(provider: str) -> Iterator[None]:
    """Occupy a place among the quotes while another thread asks for the same price. Raises Throttled."""
    try:
        with bulkhead(provider, "quote").place():
            yield
    except Full as error:
        raise Throttled(str(error), retry_after=BUSY_RETRY_SECONDS) from error


def fetch(verification: Verification, *, policy: CallPolicy = CallPolicy.BACKGROUND) -> Number:
    """Return the number as it stands at the provider. Asked even while its breaker is open."""
    fetch_it = partial(providers.by_name(verification.provider).fetch, verification.provider_id)
    if policy is CallPolicy.RECOVERY:
        return fetch_it()
    breaker = providers.operation_breaker("fetch", verification.provider)
    return _run(verification, partial(breaker.call, fetch_it, subject=verification.provider_id), policy)


def cancel(verification: Verification, *, policy: CallPolicy = CallPolicy.BACKGROUND) -> None:
    """Return the number to the provider. Raises BreakerOpen, and what the provider's `cancel` raises."""
    _change(verification, "cancel", providers.by_name(verification.provider).cancel, policy)


def report(verification: Verification, *, policy: CallPolicy = CallPolicy.BACKGROUND) -> None:
    """Report that the number never worked. Raises BreakerOpen, and what the provider's `report` raises."""
    _change(verification, "report", providers.by_name(verification.provider).report, policy)


def _change(verification: Verification, operation: str, change: Callable[[str], None], policy: CallPolicy) -> None:
    change_it = partial(change, verification.provider_id)
    if policy is CallPolicy.RECOVERY:
        change_it()
        return
    with _admitted(operation, verification.provider) as admission:
        _run(verification, partial(admission.call, change_it, subject=verification.provider_id), policy)


@contextmanager
def _admitted(operation: str, provider: str) -> Iterator[Admission]:
    try:
        with providers.operation_breaker(operation, provider).admit() as admission:
            yield admission
    except Open as error:
        raise BreakerOpen(str(error)) from error


def _run(verification: Verification, call: Callable[[], T], policy: CallPolicy) -> T:
    if policy is CallPolicy.BACKGROUND:
        return call()
    # A look at a number that could not be cancelled is a part of the cancel.
    return _run_with_patience(verification.provider, "cancel", call)


def _run_with_patience(provider: str, operation: str, call: Callable[[], T], *, subject: str = "") -> T:
    try:
        return bulkhead(provider, operation).run(call, patience=settings.VENDOR_PATIENCE_SECONDS, subject=subject)
    except Full as error:
        raise NotAttempted(str(error)) from error
    except StillRunning as error:
        raise OutcomeUnknown(str(error)) from error


def fetch_many(verifications: Sequence[Verification]) -> Answers:
    """Return the number of each verification's id as it stands at the provider, or why that is not known."""
    return _call_for_many(
        verifications, "fetch", lambda provider, ids: provider.fetch_many(ids, concurrency=settings.POLL_CONCURRENCY)
    )


def report_many(verifications: Sequence[Verification]) -> Mapping[UUID, RemoteError | None]:
    """Do as `report` for many at once. Return for each verification's id why it failed, None where it was done."""

    def report_them(provider: Provider, ids: Sequence[str]) -> Mapping[str, RemoteError | None]:
        with _admitted("report", provider.name) as admission:
            admission.begin()
            return provider.report_many(ids, concurrency=settings.POLL_CONCURRENCY)

    return _call_for_many(verifications, "report", report_them)


def _call_for_many(
    verifications: Sequence[Verification], operation: str, call: BatchCall[T]
) -> dict[UUID, T | RemoteError]:
    answers: dict[UUID, T | RemoteError] = {}
    for name in {verification.provider for verification in verifications}:
        ids = {row.pk: row.provider_id for row in verifications if row.provider == name}
        breaker = providers.operation_breaker(operation, name)
        found: Mapping[str, T | RemoteError]
        try:
            found = call(providers.by_name(name), list(ids.values()))
        except BreakerOpen as error:
            answers |= dict.fromkeys(ids, error)
            continue
        except RemoteError as error:
            found = dict.fromkeys(ids.values(), error)
        outages = [answer for answer in found.values() if isinstance(answer, Exception) and providers.is_outage(answer)]
        if len(outages) < len(found):
            breaker.success()
        elif outages:
            breaker.failure(*found)
        answers |= {pk: found[provider_id] for pk, provider_id in ids.items()}
    return answers


def longest_wait(answers: Answers) -> float:
    """Return the seconds for which the provider asks for no more requests; 0 where it does not."""
    return max((answer.retry_after for answer in answers.values() if isinstance(answer, Throttled)), default=0.0)
