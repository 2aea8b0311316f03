"""Finish what a crash or a silent provider left open: purchases, cancels, numbers that have to be returned."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError
from django.utils.translation import gettext as _

from config.lib import faults
from config.lib.backoff import Backoff
from config.lib.remote import errors as remote
from config.lib.sweep import Rows
from config.lib.unit_of_work import unit_of_work
from verifications import providers, signals
from verifications.models import Status, Verification
from verifications.providers import base
from verifications.services import end, lookup, provider_calls, purchase_outcome, receive, refusals
from verifications.services.cancel import cancel_at_provider
from verifications.services.postpone import postpone
from verifications.services.provider_calls import CallPolicy
from verifications.services.transitions import update_in_status

log = logging.getLogger(__name__)

BATCH = 200
_LIST_SECONDS = 150  # what reading the provider's list may take, and a little more
_REPLAY = Backoff(base=2, longest=60)
_LOOK_UP = Backoff(base=0, longest=300)
_LOOK_FOR = timedelta(hours=24)  # the nightly comparison with the provider's list finds what is left then


def recover_due(*, now: datetime) -> int:
    """Take the next step for each row that is due. Return how many were taken."""
    due = list(
        Verification.objects.select_related("user", "service")
        .filter(next_recovery_at__lte=now)
        .order_by("next_recovery_at")[:BATCH]
    )
    sales = lookup.ProviderSales(since=min((row.created_at for row in due), default=now) - lookup.CLOCK_SKEW)
    rows = Rows[Verification](
        lambda row: _recover(row, now, sales),
        label="recover",
        put_aside=lambda locked: postpone(locked, field="next_recovery_at", now=now),
    )
    return rows.in_threads(_one_of_each_open_breaker(due))


def _one_of_each_open_breaker(due: list[Verification]) -> list[Verification]:
    """Return the rows to work on now: all but those whose next call goes to an operation with an open breaker.

    Of the latter only the first for each such operation is kept, so that the threads don't all wait for a vendor that
    does not answer. The breakers are read, and told nothing.
    """
    names: dict[object, tuple[str, ...]] = {}
    for row in due:
        operation = "cancel" if row.status == Status.WAITING else "fetch"
        purchase = f"{row.provider}:purchase"
        is_order = not row.provider_id
        names[row.pk] = (purchase, f"{purchase}:{row.service.name}") if is_order else (f"{row.provider}:{operation}",)
    open_ones = providers.open_breakers({name for found in names.values() for name in found})
    asked: set[str] = set()
    chosen: list[Verification] = []
    for row in due:
        silent = open_ones.intersection(names[row.pk])
        if not silent & asked:
            asked |= silent
            chosen.append(row)
    return chosen


def _recover(row: Verification, now: datetime, sales: lookup.ProviderSales) -> None:
    is_too_late = now - row.created_at > timedelta(seconds=settings.RECOVER_GIVE_UP_SECONDS)
    # The claim lasts longer than the provider may take to answer, so that no other run takes the row meanwhile.
    seconds = settings.RECOVER_AFTER_SECONDS
    if not row.provider_id and is_too_late:
        seconds = max(seconds, _LIST_SECONDS)
    mine = Verification.objects.filter(pk=row.pk, status=row.status, next_recovery_at=row.next_recovery_at)
    if mine.update(next_recovery_at=now + timedelta(seconds=seconds)) != 1:
        return
    faults.point("recover.claimed")
    if row.status == Status.REQUESTED:
        if is_too_late:
            _abandon(row, now, sales)
        else:
            _finish_purchase(row, now)
    elif row.status == Status.WAITING and row.cancel_requested_at:
        try:
            cancel_at_provider(verification=row, now=now, policy=CallPolicy.RECOVERY)
        except base.TooEarly as error:
            update_in_status(row, next_recovery_at=now + timedelta(seconds=max(1.0, error.retry_after)))
    elif row.is_open or row.status == Status.COMPLETED:
        update_in_status(row, next_recovery_at=None)
    elif row.provider_id:
        end.return_number(verification=row, now=now)
    else:
        _look_for_number(row, now, sales)


def _finish_purchase(row: Verification, now: datetime) -> None:
    """Order again with the same key: the provider answers with the number that it sold, or that it sold none."""
    try:
        number = provider_calls.replay_purchase(row)
    except (remote.OutcomeUnknown, remote.Throttled, remote.Unavailable) as error:
        age = (now - row.created_at).total_seconds()
        wait = max(_REPLAY.at_age(age, share=1 / 4), getattr(error, "retry_after", 0.0))
        log.warning("Recovery of %s goes on in %.0f s: %s %s", row.pk, wait, type(error).__name__, error)
        update_in_status(row, next_recovery_at=now + timedelta(seconds=wait))
        purchase_outcome.report_unclear(verification=row, now=now)
        return
    except remote.RemoteError as error:
        purchase_outcome.reject(verification=row, why=refusals.why(error), now=now)
        return
    faults.point("recover.answered")
    if number.state not in ("waiting", "completed", "unknown"):
        why = _("The number came too late.")
        purchase_outcome.reject_and_return(verification=row, provider_id=number.provider_id, why=why, now=now)
        return
    current = purchase_outcome.fulfil(verification=row, number=number, now=now)
    if current.status == Status.WAITING:
        receive.apply(verification=current, number=number, now=now)


def _abandon(row: Verification, now: datetime, sales: lookup.ProviderSales) -> None:
    """Release the money of an order that is too old to repeat, and return the number that the provider sold for it."""
    why = _("The provider did not respond.")
    try:
        found = lookup.find_sale(row, sales)
    except (remote.RemoteError, lookup.Ambiguous):
        purchase_outcome.abandon(verification=row, why=why, now=now)
        return
    if found is None:
        purchase_outcome.reject(verification=row, why=why, now=now)
        return
    try:
        purchase_outcome.reject_and_return(verification=row, provider_id=found.provider_id, why=why, now=now)
    except IntegrityError:  # another order took it meanwhile
        purchase_outcome.abandon(verification=row, why=why, now=now)


def _look_for_number(row: Verification, now: datetime, sales: lookup.ProviderSales) -> None:
    """Look in the provider's list for the number of an abandoned order, and have it returned."""
    try:
        found = lookup.find_sale(row, sales)
        if found is None:
            log.info("No number was sold for %s", row.pk)
            update_in_status(row, next_recovery_at=None)
            return
        with unit_of_work():
            update_in_status(row, provider_id=found.provider_id, next_recovery_at=now)
    except lookup.Ambiguous as several:
        # One may be ours, the others are another buyer's of the same account: that is left to staff.
        log.error("%s numbers may have been sold for %s: none is given back", len(several.candidates), row.pk)
        with unit_of_work():
            for sale in several.candidates:
                details = {
                    "service": sale.service,
                    "sold_at": sale.created_at.isoformat(timespec="seconds"),
                    "state": sale.state,
                    "cost": str(sale.cost),
                    "action": f"look at it: it may be the number of {row.pk}",
                }
                signals.provider_orphan_found.send(
                    sender=Verification, provider=row.provider, provider_id=sale.provider_id, details=details
                )
            update_in_status(row, next_recovery_at=None)
    except IntegrityError:
        _look_later(row, remote.OutcomeUnknown("taken by another order"), now)
    except remote.RemoteError as error:
        _look_later(row, error, now)


def _look_later(row: Verification, error: remote.RemoteError, now: datetime) -> None:
    age = now - row.created_at
    if age > _LOOK_FOR:
        log.error("Whether a number was sold for %s can't be learned: %s %s", row.pk, type(error).__name__, error)
        update_in_status(row, next_recovery_at=None)
        return
    wait = max(_LOOK_UP.at_age(age.total_seconds(), share=1 / 20), getattr(error, "retry_after", 0.0))
    log.warning("The number of %s is looked for in %.0f s: %s %s", row.pk, wait, type(error).__name__, error)
    update_in_status(row, next_recovery_at=now + timedelta(seconds=wait))
