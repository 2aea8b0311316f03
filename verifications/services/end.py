"""How a charged verification ends: with its code, or without one and refunded in the same transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config.lib import faults
from config.lib.remote import errors as remote
from verifications import selectors, signals
from verifications.models import Status, Verification
from verifications.providers import base
from verifications.services import provider_calls
from verifications.services.provider_calls import CallPolicy
from verifications.services.transitions import lock, lock_and_reload, transition

log = logging.getLogger(__name__)

REASONS = {Status.TIMED_OUT: "timeout", Status.CANCELLED: "cancelled", Status.FAILED: "failed"}
WHY: dict[str, Promise] = {
    Status.TIMED_OUT: _("No code arrived in time."),
    Status.CANCELLED: _("You cancelled this number."),
    Status.FAILED: _("The provider ended this number before a code came."),
}
_SETTLED = {"cancelled_at_provider": True, "next_recovery_at": None}
GIVE_BACK_FOR = timedelta(hours=1)


def complete(verification: Verification, *, now: datetime) -> None:
    """The code is there. Call inside atomic(), with the row locked and waiting."""
    faults.committed("end.completed")
    transition(verification, Status.COMPLETED, now=now)
    messages = list(verification.messages.all())
    completing = selectors.completing_message(messages)
    for other in messages:
        if other is not completing:
            signals.message_arrived.send(sender=Verification, verification=verification, message=other)
    signals.verification_completed.send(sender=Verification, verification=verification, message=completing)
    faults.point("end.completing")


@transaction.atomic
def end(
    *, verification: Verification, to: str, now: datetime, settled: bool | None, why: str | Promise = ""
) -> Verification:
    """End it without a code; the refund is made by who listens to verification_ended. The first end stands.

    `settled`: whether the provider gave our cost back (None: still to be asked, recovery does it; False: it can't be
    reached, which is booked as a loss and asked for a while longer). Answers the row as it stands.
    """
    current = lock_and_reload(verification)
    if current.status == Status.WAITING:
        _end(current, to=to, now=now, settled=settled, why=why)
    return current


def end_as_there(current: Verification, number: base.Number, *, now: datetime) -> None:
    """The provider has ended it. Call inside atomic(), with the row locked and waiting."""
    over = current.expires_at is not None and now >= current.expires_at
    if current.cancel_requested_at and number.state == "cancelled":
        to = Status.CANCELLED
    elif number.state == "timed_out" or over:
        to = Status.TIMED_OUT
    else:
        to = Status.FAILED
    _end(current, to=to, now=now, settled=None if number.can_report else True)


def end_without_text(current: Verification, *, now: datetime) -> None:
    """The provider calls it completed, and has nothing to show for it. Call inside atomic(), locked and waiting."""
    _end(current, to=Status.TIMED_OUT, now=now, settled=False)


def _end(current: Verification, *, to: str, now: datetime, settled: bool | None, why: str | Promise = "") -> None:
    faults.committed("end.ended")
    why = str(why or WHY[to])
    later = now + timedelta(seconds=settings.RECOVER_AFTER_SECONDS)
    transition(
        current,
        to,
        now=now,
        failure_reason=why,
        cancelled_at_provider=settled,
        next_recovery_at=None if settled else later,
    )
    signals.verification_ended.send(sender=Verification, verification=current, reason=REASONS[Status(to)], why=why)
    if settled is False:
        signals.provider_loss_booked.send(sender=Verification, verification=current)
    faults.point("end.ending")


def report(verification: Verification) -> None:
    """Tell the provider that the number never worked, so that our cost comes back. What fails, recovery repeats."""
    try:
        provider_calls.report(verification)
    except remote.RemoteError as error:
        log.info("Report of %s is left to recovery: %s %s", verification.pk, type(error).__name__, error)
        return
    _settle(verification, settled=True)


def report_by_id(ids: Sequence[str]) -> None:
    """As `report_all`, for those that nobody has settled meanwhile."""
    report_all(list(Verification.objects.filter(pk__in=ids, cancelled_at_provider=None, status__in=REASONS)))


def report_all(verifications: Sequence[Verification]) -> None:
    """`report` for many at once, after all of their owners have their money."""
    answers = provider_calls.report_many(verifications)
    Verification.objects.filter(pk__in=[pk for pk, error in answers.items() if error is None]).update(**_SETTLED)
    left = [error for error in answers.values() if error is not None]
    if left:
        log.info("%s of %s reports are left to recovery, such as: %r", len(left), len(answers), left[0])


def give_back(*, verification: Verification, now: datetime) -> None:
    """Ask the provider for our cost of a number that ended here without a code. Recovery's step for ended rows."""
    try:
        settled = _return(verification)
    except remote.RemoteError as error:
        log.info("Number of %s is not settled yet: %s %s", verification.pk, type(error).__name__, error)
        settled = None
    faults.point("end.returned")
    age = now - (verification.ended_at or now)
    if settled is None and age > GIVE_BACK_FOR:
        settled = False
    if settled is not None:
        _settle(verification, settled=settled)
        return
    later = now + timedelta(seconds=min(300.0, max(5.0, age.total_seconds() / 2)))
    Verification.objects.filter(pk=verification.pk).update(next_recovery_at=later)


def _return(verification: Verification) -> bool | None:
    """True: our money is back. False: it is not, for good. None: ask again."""
    number = provider_calls.fetch(verification, policy=CallPolicy.RECOVERY)
    if number.state in ("waiting", "unknown") and number.can_cancel:
        provider_calls.cancel(verification, policy=CallPolicy.RECOVERY)
        return True
    if number.can_report:
        provider_calls.report(verification, policy=CallPolicy.RECOVERY)
        return True
    if number.state == "completed":
        return False
    return None if number.state in ("waiting", "unknown") else True


def _settle(verification: Verification, *, settled: bool) -> None:
    if settled:
        Verification.objects.filter(pk=verification.pk).update(**_SETTLED)
    else:
        _book_loss(verification)


@transaction.atomic
def _book_loss(verification: Verification) -> None:
    current = lock(verification.pk)
    booked = current.cancelled_at_provider is False
    Verification.objects.filter(pk=current.pk).update(cancelled_at_provider=False, next_recovery_at=None)
    current.cancelled_at_provider = False
    if not booked:
        signals.provider_loss_booked.send(sender=Verification, verification=current)
