"""The outcome of a purchase: fulfilled and charged, or rejected and never charged."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from config.lib import faults
from config.lib.unit_of_work import unit_of_work
from verifications import signals
from verifications.models import Status, Verification
from verifications.providers.base import Number
from verifications.services.transitions import lock_and_reload, transition, update_in_status
from wallet import services as wallet
from wallet.errors import AlreadyResolved
from wallet.models import Hold, HoldStatus, TransactionType

log = logging.getLogger(__name__)


def fulfil(*, verification: Verification, number: Number, now: datetime) -> Verification:
    """Charge for the number that was bought. Where that fails, charge nothing and have the number returned."""
    try:
        return _charge(verification, number, now)
    except (AlreadyResolved, Hold.DoesNotExist):
        log.exception("Verification %s was bought, but its hold is gone", verification.pk)
    except IntegrityError:
        same_number = Verification.objects.filter(provider=verification.provider, provider_id=number.provider_id)
        if same_number.exclude(pk=verification.pk).exists():
            log.critical("Number %s was sold to us twice (%s)", number.provider_id, verification.pk)
            return reject(verification=verification, why=_("The provider had a problem."), now=now)
        raise
    why = _("The payment could not be taken.")
    return reject_and_return(verification=verification, provider_id=number.provider_id, why=why, now=now)


@unit_of_work()
def _charge(verification: Verification, number: Number, now: datetime) -> Verification:
    faults.committed("sale.charged")
    current = lock_and_reload(verification)
    if current.status != Status.REQUESTED:
        if current.status == Status.FAILED and not current.provider_id:
            # Given up on before the answer came: the number goes back.
            update_in_status(current, provider_id=number.provider_id, next_recovery_at=now)
        return current
    transition(
        current,
        Status.WAITING,
        now=now,
        charged=True,
        provider_id=number.provider_id,
        phone_number=number.phone_number,
        cost=number.cost,
        sold_at=number.created_at,
        expires_at=number.expires_at,
        answered_at=current.answered_at or now,
        next_poll_at=now + timedelta(seconds=settings.POLL_INTERVAL_SECONDS),
        # Its owner asked for the end meanwhile: the recovery does it.
        next_recovery_at=now if current.cancel_requested_at else None,
    )
    wallet.capture(
        hold=current.hold_reference,
        user=current.user,
        type=TransactionType.SMS_PURCHASE,
        metadata={
            "service_title": current.service.title,
            "service_name": current.service.name,
            "phone_number": current.phone_number,
        },
    )
    signals.number_purchased.send(sender=Verification, verification=current)
    faults.point("sale.charging")
    return current


@unit_of_work()
def report_unclear(*, verification: Verification, now: datetime) -> None:
    """Notify the owner, once, that the provider's answer is unclear and that we ask again."""
    mine = Verification.objects.filter(pk=verification.pk, status=Status.REQUESTED, unclear_at=None)
    if mine.update(unclear_at=now):
        verification.unclear_at = now
        signals.verification_unclear.send(sender=Verification, verification=verification)


def reject(*, verification: Verification, why: str | Promise, now: datetime) -> Verification:
    """Release the hold of a purchase that bought nothing, and notify its owner."""
    return _fail(verification, str(why), now)


def abandon(*, verification: Verification, why: str | Promise, now: datetime) -> Verification:
    """Release the hold of a purchase whose outcome stays unknown; recovery goes on looking for a number."""
    later = now + timedelta(seconds=settings.RECOVER_AFTER_SECONDS)
    return _fail(verification, str(why), now, recover_at=later)


def reject_and_return(
    *, verification: Verification, provider_id: str, why: str | Promise, now: datetime
) -> Verification:
    """Release the hold of a purchase whose number can't be delivered; recovery returns the number."""
    return _fail(verification, str(why), now, provider_id=provider_id, recover_at=now)


@unit_of_work()
def _fail(
    verification: Verification, why: str, now: datetime, *, provider_id: str = "", recover_at: datetime | None = None
) -> Verification:
    current = lock_and_reload(verification)
    if current.status != Status.REQUESTED:
        return current
    transition(
        current,
        Status.FAILED,
        now=now,
        failure_reason=why[:200],
        answered_at=current.answered_at or now,
        provider_id=provider_id,
        next_recovery_at=recover_at,
    )
    hold = Hold.objects.filter(reference=current.hold_reference, status=HoldStatus.ACTIVE).first()
    if hold is not None:
        wallet.release(hold=hold)
    signals.verification_refused.send(sender=Verification, verification=current, why=current.failure_reason)
    faults.point("sale.failing")
    return current
