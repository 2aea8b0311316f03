"""Expire numbers whose time is over: fetch them a last time, return them to the provider, refund them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import Q

from config.lib import faults
from config.lib.postgres import limits
from config.lib.remote import errors as remote
from config.lib.unit_of_work import unit_of_work
from verifications.models import Settlement, Status, Verification
from verifications.providers import base
from verifications.services import end, provider_calls, receive, worker_pool
from verifications.services.postpone import postpone

log = logging.getLogger(__name__)

BATCH = 200  # small enough for several workers to share what is due at once
Report = Callable[[Sequence[Verification]], object]

SWEEP_SECONDS = 45  # a task's share; what is left waits for the next tick


def expire_due(*, now: datetime, report: Report = end.report_many) -> int:
    """End what is past the provider's end time and the grace. Return how many were looked at.

    `report` gets those whose cost the provider returns once that is reported; no refund waits for it.
    """
    started, seen = time.monotonic(), 0
    while time.monotonic() - started < SWEEP_SECONDS:
        claimed = _claim(now)
        if not claimed:
            break
        seen += len(claimed)
        faults.point("expire.claimed")
        answers = provider_calls.fetch_many(claimed)
        unreported: list[Verification] = []
        close = partial(_close, answers=answers, report=unreported.append, now=now)
        worker_pool.run_in_threads(
            claimed,
            close,
            name=lambda row: str(row.pk),
            put_aside=lambda rows: postpone(rows, field="next_poll_at", now=now),
            label="expire",
        )
        if unreported:
            report(unreported)
    return seen


@unit_of_work()
def _claim(now: datetime) -> list[Verification]:
    """Return due rows, which are this run's until the lease ends. Polling and expiry both heed `next_poll_at`."""
    grace = timedelta(seconds=settings.EXPIRY_GRACE_SECONDS)
    rows = list(
        Verification.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("user", "service")
        .filter(Q(next_poll_at=None) | Q(next_poll_at__lte=now), status=Status.WAITING, expires_at__lte=now - grace)
        .order_by("expires_at")[:BATCH]
    )
    lease = now + timedelta(seconds=settings.RECOVER_AFTER_SECONDS)
    Verification.objects.filter(pk__in=[row.pk for row in rows]).update(next_poll_at=lease)
    return rows


def _close(
    row: Verification, *, answers: provider_calls.Answers, report: Callable[[Verification], object], now: datetime
) -> None:
    found = answers[row.pk]
    if isinstance(found, remote.RemoteError):
        _retry_or_give_up(row, found, now)
        return
    try:
        current = receive.apply(verification=row, number=found, now=now, last=True, report=report)
    except Exception as error:
        if limits.is_lock_timeout(error):
            raise
        log.exception("What the provider says of %s can't be applied", row.pk)
        _retry_or_give_up(row, remote.OutcomeUnknown(type(error).__name__), now)
        return
    if current.status != Status.WAITING:
        return
    faults.point("expire.fetched")
    try:
        provider_calls.cancel(row)
    except remote.NotFound as error:
        _retry_or_give_up(row, error, now)
    except (remote.Rejected, base.TooEarly) as refusal:
        # A code may have come in between, or it has ended at the provider.
        try:
            found = provider_calls.fetch(row)
        except remote.RemoteError as error:
            _retry_or_give_up(row, error, now)
            return
        if receive.apply(verification=row, number=found, now=now, last=True).status == Status.WAITING:
            _retry_or_give_up(row, refusal, now)
    except remote.RemoteError as error:
        _retry_or_give_up(row, error, now)
    else:
        faults.point("expire.cancelled")
        end.end(verification=row, to=_end_status(row), now=now, settlement=Settlement.RETURNED)


def _retry_or_give_up(row: Verification, error: remote.RemoteError, now: datetime) -> None:
    """Leave the row to the next run; after EXPIRY_GIVE_UP_SECONDS end it, so that its refund waits no longer."""
    patience = timedelta(seconds=settings.EXPIRY_GIVE_UP_SECONDS)
    if row.expires_at is not None and now < row.expires_at + patience:
        log.warning("Ending %s goes on later: %s %s", row.pk, type(error).__name__, error)
        return
    log.error("Ending %s without the provider: %s %s", row.pk, type(error).__name__, error)
    end.end(verification=row, to=_end_status(row), now=now, settlement=Settlement.LOST)


def _end_status(row: Verification) -> str:
    return Status.CANCELLED if row.cancel_requested_at else Status.TIMED_OUT
