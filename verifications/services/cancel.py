"""Cancel a number at the customer's request: the provider is asked first, the refund follows its confirmation."""

from __future__ import annotations

import logging
import math
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from config.lib import faults, money
from config.lib.backoff import Backoff
from config.lib.errors.base import NotFound, OverLimit
from config.lib.limiter import HOUR, seconds_to_wait
from config.lib.remote import errors as remote
from config.lib.unit_of_work import unit_of_work
from verifications import errors, signals
from verifications.models import Settlement, Status, Verification
from verifications.providers import base
from verifications.services import end, provider_calls, receive
from verifications.services.provider_calls import CallPolicy
from verifications.services.transitions import lock, update_in_status
from wallet import services as wallet

log = logging.getLogger(__name__)
_RETRY = Backoff(base=2, longest=30)


@dataclass(frozen=True)
class Cancellation:
    """`pending`: the provider has not confirmed the cancel yet, and recovery goes on asking."""

    verification: Verification
    pending: bool


def cancel(*, user: User, verification_id: uuid.UUID | str) -> Cancellation:
    """Cancel a number at the provider, and refund it. Call outside a transaction.

    Idempotent. One request asks the provider; others at the same time are answered with the row as it stands. Raises
    NotFound, TooEarly (`retry_after`), AlreadyEnded, OverLimit.
    """
    now = timezone.now()
    verification, is_claimed = _claim(user, verification_id, now)
    if not is_claimed:
        return Cancellation(verification, pending=verification.is_open)
    faults.point("cancel.claimed")
    try:
        verification = cancel_at_provider(verification=verification, now=now, policy=CallPolicy.INTERACTIVE)
    except base.TooEarly as error:
        seconds = max(1, math.ceil(error.retry_after))
        update_in_status(
            verification,
            cancel_requested_at=None,
            cancel_claimed_at=None,
            next_recovery_at=None,
            cancel_not_before=now + timedelta(seconds=seconds),
            early_cancels=min(verification.early_cancels + 1, 32_767),
        )
        raise _too_early(seconds) from error
    if verification.is_open or verification.status == Status.CANCELLED:
        return Cancellation(verification, pending=verification.is_open)
    raise _already_ended(verification)


@unit_of_work(durable=True)
def _claim(user: User, verification_id: uuid.UUID | str, now: datetime) -> tuple[Verification, bool]:
    """Return the row, and whether this request is the one that asks the provider.

    The request is written down, so that recovery finishes it after a crash.
    """
    if not Verification.objects.filter(pk=verification_id, user=user).exists():
        raise NotFound(_("You have no such verification."))
    current = lock(verification_id)
    if current.status == Status.CANCELLED:
        return current, False
    if not current.is_open:
        raise _already_ended(current)
    if current.cancel_claimed_at or (current.status == Status.REQUESTED and current.cancel_requested_at):
        return current, False
    if current.cancel_not_before and now < current.cancel_not_before:
        raise _too_early(math.ceil((current.cancel_not_before - now).total_seconds()))
    _check_limit(user, now)
    if current.status == Status.REQUESTED:  # until we know whether there is a number, there is nothing to ask
        update_in_status(current, cancel_requested_at=now)
        signals.verification_updated.send(sender=Verification, verification=current)
        return current, False
    later = now + timedelta(seconds=settings.RECOVER_AFTER_SECONDS)
    update_in_status(
        current,
        cancel_requested_at=current.cancel_requested_at or now,
        cancel_claimed_at=now,
        next_recovery_at=later,
    )
    return current, True


def cancel_at_provider(*, verification: Verification, now: datetime, policy: CallPolicy) -> Verification:
    """Ask the provider to take the number back, and end the verification. Return it as it stands. Raises TooEarly.

    Where the provider does not answer, or was not asked, the row stays open, and recovery asks.
    """
    try:
        provider_calls.cancel(verification, policy=policy)
    except remote.Rejected:
        pass  # it has ended at the provider; what came of it is fetched below
    except base.TooEarly:
        raise
    except remote.RemoteError as error:
        return _retry_later(verification, error, now)
    else:
        faults.point("cancel.answered")
        return end.end(verification=verification, to=Status.CANCELLED, now=now, settlement=Settlement.RETURNED)
    try:
        number = provider_calls.fetch(verification, policy=policy)
    except remote.RemoteError as error:
        return _retry_later(verification, error, now)
    current = receive.apply(verification=verification, number=number, now=now)
    if current.status == Status.WAITING and number.state == "waiting":
        raise base.TooEarly("Rejected, though it waits", retry_after=15)
    if current.status == Status.WAITING:
        return _retry_later(current, remote.OutcomeUnknown(f"{number.state}, without its text"), now)
    return current


@unit_of_work()
def _retry_later(verification: Verification, error: remote.RemoteError, now: datetime) -> Verification:
    log.warning("Cancelling %s goes on later: %s %s", verification.pk, type(error).__name__, error)
    current = lock(verification.pk)
    if current.status == Status.WAITING:
        asked = current.cancel_requested_at or now
        wait = _RETRY.at_age((now - asked).total_seconds(), share=1 / 2)
        if isinstance(error, provider_calls.NotAttempted):
            wait = 0.0
        update_in_status(current, next_recovery_at=now + timedelta(seconds=wait))
        signals.verification_updated.send(sender=Verification, verification=current)
    return current


def _check_limit(user: User, now: datetime) -> None:
    """Raise OverLimit where the customer has cancelled MAX_CANCELS_PER_HOUR numbers in the last hour."""
    wallet.lock_wallet(user=user)
    limit = settings.MAX_CANCELS_PER_HOUR
    rows = Verification.objects.filter(user=user, created_at__gt=now - 24 * HOUR)
    asked = rows.filter(cancel_requested_at__gt=now - HOUR).values_list("cancel_requested_at", flat=True)
    times = [at for at in asked if at is not None]
    early = rows.filter(cancel_not_before__gt=now - HOUR).values_list("cancel_not_before", "early_cancels")
    for not_before, number in early:  # each of these asked the provider too
        times += [min(not_before or now, now)] * number
    if wait := seconds_to_wait(sorted(times, reverse=True), limit=limit, now=now):
        raise OverLimit(
            _(
                "You have cancelled {count} numbers in an hour, the most you can. Without a code you are refunded."
            ).format(count=limit),
            retry_after=wait,
        )


def _too_early(seconds: int) -> errors.TooEarly:
    return errors.TooEarly(
        ngettext(
            "This number can be given back in {seconds} second. Try again then.",
            "This number can be given back in {seconds} seconds. Try again then.",
            seconds,
        ).format(seconds=seconds),
        retry_after=seconds,
    )


def _already_ended(verification: Verification) -> errors.AlreadyEnded:
    price = money.display(verification.price)
    sentences: dict[str, str | Promise] = {
        Status.COMPLETED: _("An SMS has arrived already, so this number can't be cancelled."),
        Status.TIMED_OUT: _("This number has ended by itself; {price} is back in your wallet.").format(price=price),
        Status.FAILED: _("The provider has ended this number; {price} is back in your wallet.").format(price=price)
        if verification.charged
        else _("No number was available, and nothing was charged."),
    }
    return errors.AlreadyEnded(sentences[verification.status])
