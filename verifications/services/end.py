"""The end of a charged verification: with its code, or without one and refunded in the same transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config.lib import faults
from config.lib.backoff import Backoff
from config.lib.remote.errors import RemoteError
from config.lib.unit_of_work import unit_of_work
from verifications import selectors, signals
from verifications.models import Settlement, Status, Verification
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
_RETURN = Backoff(base=5, longest=300)
GIVE_BACK_FOR = timedelta(hours=1)
_RETURNED = {"settlement": Settlement.RETURNED, "next_recovery_at": None}


def complete(verification: Verification, *, now: datetime) -> None:
    """Complete a verification whose code has arrived. Call inside atomic(), with the row locked and waiting."""
    faults.committed("end.completed")
    transition(verification, Status.COMPLETED, now=now)
    messages = list(verification.messages.all())
    completing = selectors.completing_message(messages)
    for other in messages:
        if other is not completing:
            signals.message_arrived.send(sender=Verification, verification=verification, message=other)
    signals.verification_completed.send(sender=Verification, verification=verification, message=completing)
    faults.point("end.completing")


@unit_of_work()
def end(
    *, verification: Verification, to: str, now: datetime, settlement: Settlement, why: str | Promise = ""
) -> Verification:
    """End a waiting verification without a code, and return it as it stands. One that has ended stays as it is.

    The refund is made by the receiver of refund_due, in the same transaction. `settlement`: whether the
    provider has returned our cost. Where it is UNSETTLED, recovery asks for it; LOST is booked as a loss, and recovery
    asks a while longer.
    """
    current = lock_and_reload(verification)
    if current.status == Status.WAITING:
        _end(current, to=to, now=now, settlement=settlement, why=why)
    return current


def end_as_reported(current: Verification, number: base.Number, *, now: datetime) -> None:
    """End a verification that the provider reports as ended. Call inside atomic(), with the row locked and waiting."""
    if current.cancel_requested_at and number.state == "cancelled":
        to = Status.CANCELLED
    elif number.state == "timed_out" or (current.expires_at is not None and now >= current.expires_at):
        to = Status.TIMED_OUT
    else:
        to = Status.FAILED
    _end(current, to=to, now=now, settlement=Settlement.UNSETTLED if number.can_report else Settlement.RETURNED)


def end_without_text(current: Verification, *, now: datetime) -> None:
    """End a verification that the provider calls completed, though it has no text for it. Call as end_as_reported."""
    _end(current, to=Status.TIMED_OUT, now=now, settlement=Settlement.LOST)


def _end(current: Verification, *, to: str, now: datetime, settlement: Settlement, why: str | Promise = "") -> None:
    faults.committed("end.ended")
    why = str(why or WHY[to])
    later = now + timedelta(seconds=settings.RECOVER_AFTER_SECONDS)
    transition(
        current,
        to,
        now=now,
        failure_reason=why,
        settlement=settlement,
        next_recovery_at=None if settlement == Settlement.RETURNED else later,
    )
    reason = REASONS[Status(to)]
    signals.refund_due.send(sender=Verification, verification=current, reason=reason)
    signals.verification_ended.send(sender=Verification, verification=current, reason=reason, why=why)
    if settlement == Settlement.LOST:
        signals.provider_loss_booked.send(sender=Verification, verification=current)
    faults.point("end.ending")


def report(verification: Verification) -> None:
    """Report to the provider that the number never worked, which returns our cost. Recovery repeats what fails."""
    try:
        provider_calls.report(verification)
    except RemoteError as error:
        log.info("Report of %s is left to recovery: %s %s", verification.pk, type(error).__name__, error)
    else:
        Verification.objects.filter(pk=verification.pk).update(**_RETURNED)


def report_many(verifications: Sequence[Verification]) -> None:
    """Do as `report` for many at once, after all of their owners have their money."""
    answers = provider_calls.report_many(verifications)
    Verification.objects.filter(pk__in=[pk for pk, error in answers.items() if error is None]).update(**_RETURNED)
    left = [error for error in answers.values() if error is not None]
    if left:
        log.info("%s of %s reports are left to recovery, such as: %r", len(left), len(answers), left[0])


def report_unsettled(ids: Sequence[str]) -> None:
    """Do as `report_many` for those of the verifications that are not settled yet."""
    unsettled = Verification.objects.filter(pk__in=ids, settlement=Settlement.UNSETTLED, status__in=REASONS)
    report_many(list(unsettled))


def return_number(*, verification: Verification, now: datetime) -> None:
    """Ask the provider for our cost of a number that ended here without a code. Recovery's step for ended rows.

    Where the provider does not say, it is asked again, ever later; after GIVE_BACK_FOR the cost is booked as a loss.
    """
    settlement = Settlement.UNSETTLED
    try:
        number = provider_calls.fetch(verification, policy=CallPolicy.RECOVERY)
        is_running = number.state in ("waiting", "unknown")
        if is_running and number.can_cancel:
            provider_calls.cancel(verification, policy=CallPolicy.RECOVERY)
            settlement = Settlement.RETURNED
        elif number.can_report:
            provider_calls.report(verification, policy=CallPolicy.RECOVERY)
            settlement = Settlement.RETURNED
        elif not is_running:
            settlement = Settlement.LOST if number.state == "completed" else Settlement.RETURNED
    except RemoteError as error:
        log.info("Number of %s is not settled yet: %s %s", verification.pk, type(error).__name__, error)
    faults.point("end.returned")
    age = now - (verification.ended_at or now)
    row = Verification.objects.filter(pk=verification.pk)
    if settlement == Settlement.RETURNED:
        row.update(**_RETURNED)
    elif settlement == Settlement.LOST or age > GIVE_BACK_FOR:
        with unit_of_work():
            current = lock(verification.pk)
            row.update(settlement=Settlement.LOST, next_recovery_at=None)
            if current.settlement != Settlement.LOST:
                current.settlement = Settlement.LOST
                signals.provider_loss_booked.send(sender=Verification, verification=current)
    else:
        row.update(next_recovery_at=now + timedelta(seconds=_RETURN.at_age(age.total_seconds(), share=1 / 2)))
