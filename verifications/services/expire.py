"""Expire numbers whose time is over: fetch them a last time, return them to the provider, refund them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from config.lib import faults
from config.lib.postgres import limits
from config.lib.remote import errors as remote
from config.lib.sweep import Rows, claim, sweep
from verifications.models import Settlement, Status, Verification
from verifications.providers.base import Number, TooEarly
from verifications.services import end, provider_calls, receive
from verifications.services.postpone import postpone

log = logging.getLogger(__name__)

BATCH = 200  # small enough for several workers to share what is due at once
Report = Callable[[Sequence[Verification]], object]

SWEEP_SECONDS = 45  # a task's share; what is left waits for the next tick


def expire_due(*, now: datetime, report: Report = end.report_many) -> int:
    """End what is past the provider's end time and the grace. Return how many were looked at.

    `report` gets those whose cost the provider returns once that is reported; no refund waits for it.
    """
    answers: dict[UUID, Number | remote.RemoteError] = {}
    unreported: list[Verification] = []
    rows = Rows[Verification](
        lambda row: _close(row, answers[row.pk], unreported.append, now),
        label="expire",
        put_aside=lambda locked: postpone(locked, field="next_poll_at", now=now),
    )

    def work(claimed: Sequence[Verification]) -> int:
        faults.point("expire.claimed")
        answers.update(provider_calls.fetch_many(claimed))
        rows.in_threads(claimed)
        if unreported:
            report(unreported[:])
            unreported.clear()
        return len(claimed)

    # Polling and expiry both heed `next_poll_at`.
    lease = {"next_poll_at": now + timedelta(seconds=settings.RECOVER_AFTER_SECONDS)}
    due = (
        Verification.objects.select_related("user", "service")
        .filter(Q(next_poll_at=None) | Q(next_poll_at__lte=now), status=Status.WAITING)
        .filter(expires_at__lte=now - timedelta(seconds=settings.EXPIRY_GRACE_SECONDS))
        .order_by("expires_at")
    )
    return sweep(claim=lambda: claim(due, lambda row: lease, most=BATCH), work=work, seconds=SWEEP_SECONDS)


def _close(
    row: Verification, found: Number | remote.RemoteError, report: Callable[[Verification], object], now: datetime
) -> None:
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
    except (remote.Rejected, TooEarly) as refusal:
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
