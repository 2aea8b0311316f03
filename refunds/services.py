"""All writes of this app. Amounts are whole cents."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction as db
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from config.lib import faults, money
from config.lib.commands import Report, Step, no_step
from config.lib.errors.base import DomainError
from config.lib.unit_of_work import unit_of_work
from refunds import log, signals
from refunds.errors import NothingToRefund
from refunds.models import Refund, RefundStatus, new_reference
from verifications.models import HOLDS, Status, Verification
from wallet import services as wallet
from wallet.errors import AlreadyReversed
from wallet.models import Hold, HoldStatus, Transaction, TransactionType

# The statuses of verifications that ended without a code, and the reason that their refund carries.
REASONS = {Status.TIMED_OUT: "timeout", Status.CANCELLED: "cancelled", Status.FAILED: "failed"}
_DEAD = (RefundStatus.FAILED, RefundStatus.CANCELLED)


def refund_verification(*, verification: Verification, reason: str, now: datetime | None = None) -> Refund:
    """Refund what a verification was charged, completed at once. Idempotent: a verification has one refund.

    Call it in the transaction that ends the verification, with its row locked. `reason` is "timeout", "cancelled" or
    "failed". Raises NothingToRefund if the journal has no charge, NotInTransaction outside a transaction.
    """
    now = now or timezone.now()
    reference = new_reference()
    try:
        posted = _reverse_charge(verification, reason=reason, refund_reference=reference, now=now)
    except AlreadyReversed:
        existing = _live_refund(verification)
        if existing is None:
            raise
        return existing
    faults.point("refund.posted")
    if not posted.is_new:
        existing = _live_refund(verification)
        if existing is not None:
            return existing
    refund = Refund.objects.create(
        user=verification.user,
        reference=reference,
        verification=verification,
        transaction=posted,
        amount=posted.amount,
        status=RefundStatus.COMPLETED,
        reason=reason,
        automatic=True,
        created_at=now,
        completed_at=now,
    )
    signals.refund_completed.send(sender=Refund, refund=refund, transaction=posted)
    faults.point("refund.made")
    db.on_commit(partial(log.refund_completed, refund, verification), robust=True)
    return refund


def _reverse_charge(verification: Verification, *, reason: str, refund_reference: str, now: datetime) -> Transaction:
    """Return the journal row that reverses the charge, or the existing one (not `is_new`)."""
    service = verification.service.title
    try:
        return wallet.reverse(
            transaction=f"{verification.hold_reference}:capture",
            user=verification.user,
            type=TransactionType.VERIFICATION_REFUND,
            reference=f"verification:{verification.pk}:refund",
            description=_("Refund: %(service)s") % {"service": service},
            metadata={"reason": reason, "service_title": service, "refund_reference": refund_reference},
            now=now,
        )
    except Transaction.DoesNotExist as error:
        raise NothingToRefund from error


def reconcile_refunds(*, since: datetime, now: datetime, execute: bool, step: Step = no_step) -> Report:
    """Refund every verification that ended without a code since then but is still charged, or release its hold.

    Each has a transaction of its own; a dry run does the same and rolls it back. A verification that can't be refunded
    (the journal has no charge, or one that was reversed by hand) is reported as not mended.
    """
    report = Report("reconcile_refunds", ("verification", "user", "ended", "status", "amount", "result"))
    refunds = Refund.objects.filter(verification=OuterRef("pk")).exclude(status__in=_DEAD)
    holds = _holds(Concat(Value(HOLDS), Cast(OuterRef("pk"), TextField())))
    # The verification says that it was charged, or only the journal does.
    unsettled = Verification.objects.filter(
        Q(charged=True) & ~Exists(refunds)
        | Exists(holds.filter(status=HoldStatus.ACTIVE))
        | Exists(holds.filter(status=HoldStatus.CAPTURED)) & ~Exists(refunds),
        status__in=list(REASONS),
        ended_at__gte=since,
    ).order_by("pk")
    for pk in unsettled.values_list("pk", flat=True).iterator(chunk_size=500):
        step()
        report.checked += 1
        with unit_of_work():
            _settle(pk, now=now, report=report)
            if not execute:
                db.set_rollback(True)
    return report


def _settle(pk: UUID, *, now: datetime, report: Report) -> None:
    """Release the verification's active hold or refund its charge, and add the result to the report."""
    verification = Verification.objects.select_for_update(of=("self",)).select_related("service", "user").get(pk=pk)
    row: dict[str, Any] = {
        "verification": str(verification.pk),
        "user": verification.user_id,
        "ended": verification.ended_at.isoformat() if verification.ended_at else "",
        "status": verification.status,
    }
    hold = _holds(verification.hold_reference).filter(status=HoldStatus.ACTIVE).first()
    if hold is not None:
        wallet.release(hold=hold, now=now)
        report.add(
            cents=hold.amount, mended=True, **row, amount=money.to_text(hold.amount), result="what was held is released"
        )
        return
    if _live_refund(verification) is not None:
        return  # refunded since the list was read
    try:
        refund = refund_verification(verification=verification, reason=REASONS[Status(verification.status)], now=now)
    except NothingToRefund:
        report.add(**row, amount="0.00", result="charged says the verification, but not the journal")
        return
    except DomainError as error:  # the journal refuses: staff have to look, and the others are still refunded
        report.add(**row, amount="0.00", result=f"not refunded: {error}")
        return
    report.add(cents=refund.amount, mended=True, **row, amount=money.to_text(refund.amount), result="refunded")


def _holds(reference: Any) -> QuerySet[Hold]:
    return Hold.objects.filter(reference=reference)


def _live_refund(verification: Verification) -> Refund | None:
    return Refund.objects.filter(verification=verification).exclude(status__in=_DEAD).first()
