"""Finishes what a crash or a silent provider left open: sales, cancels, numbers to be given back."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from config.lib import faults
from verifications import providers
from verifications.models import Status, Verification
from verifications.providers import base
from verifications.services import crowd, end, receive, refusals, sale, there
from verifications.services.cancel import ask as ask_to_cancel
from verifications.services.moves import note

log = logging.getLogger(__name__)

BATCH = 200
_SLACK = timedelta(minutes=1)  # between the provider's clock and ours


def recover_due(*, now: datetime) -> int:
    """Take the next step for each row that is due. How many were taken."""
    due = list(
        Verification.objects.select_related("user", "service")
        .filter(next_recovery_at__lte=now)
        .order_by("next_recovery_at")[:BATCH]
    )
    return crowd.each(_within_reach(due), lambda row: _recover(row, now), name=lambda row: str(row.pk))


def _within_reach(due: list[Verification]) -> list[Verification]:
    """Of a provider that is down only one is asked at a time, so that the workers don't all stand and wait for it."""
    sales = [row for row in due if not row.provider_id]
    others = [row for row in due if row.provider_id]
    if providers.purchase_breaker().state().state == "open":
        sales = sales[:1]
    if providers.poll_breaker().state().state == "open":
        others = others[:1]
    return sales + others


def _recover(row: Verification, now: datetime) -> None:
    if not _claim(row, now):
        return
    faults.point("recover.claimed")
    if row.status == Status.REQUESTED:
        _sale(row, now)
    elif row.status == Status.WAITING and row.cancel_requested_at:
        _cancel(row, now)
    elif row.is_open or row.status == Status.COMPLETED:
        note(row, next_recovery_at=None)
    elif row.provider_id:
        end.give_back(verification=row, now=now)
    else:
        _orphan(row, now)


def _claim(row: Verification, now: datetime) -> bool:
    """Longer than the provider may take to answer, so that nobody else takes the row meanwhile."""
    lease = now + timedelta(seconds=settings.RECOVER_AFTER_SECONDS)
    mine = Verification.objects.filter(pk=row.pk, status=row.status, next_recovery_at=row.next_recovery_at)
    return mine.update(next_recovery_at=lease) == 1


def _sale(row: Verification, now: datetime) -> None:
    """Ask with the same key: the provider answers with the number that it sold, or that it sold none."""
    too_late = now - row.created_at > timedelta(seconds=settings.RECOVER_GIVE_UP_SECONDS)
    try:
        if too_late and not _may_have_sold(row):
            sale.refuse(verification=row, why=_("The provider did not answer."), now=now)
            return
        number = there.purchase(row)
    except (base.OutcomeUnknown, base.Throttled, base.Unavailable) as error:
        if too_late:
            sale.give_up(verification=row, why=_("The provider did not answer."), now=now)
        else:
            _later(row, error, now)
    except base.ProviderError as error:
        sale.refuse(verification=row, why=refusals.why(error), now=now)
    else:
        faults.point("recover.answered")
        _settle(row, number, now, too_late=too_late)


def _settle(row: Verification, number: base.Number, now: datetime, *, too_late: bool) -> None:
    if too_late or number.state not in ("waiting", "completed"):
        why = _("The number came too late to be of use.")
        sale.discard(verification=row, number=number, why=why, now=now)
        return
    current = sale.adopt(verification=row, number=number, now=now)
    if current.status == Status.WAITING:
        receive.apply(verification=current, number=number, now=now)


def _may_have_sold(row: Verification) -> bool:
    """Whether the provider lists a number, of this service and not older than our order, that no verification has."""
    listed = [
        sold.provider_id
        for sold in providers.by_name(row.provider).recent(since=row.created_at - _SLACK)
        if sold.service == row.service.name
    ]
    owned = Verification.objects.filter(provider=row.provider, provider_id__in=listed).count()
    return len(set(listed)) > owned


def _cancel(row: Verification, now: datetime) -> None:
    try:
        ask_to_cancel(verification=row, now=now)
    except base.TooEarly as error:
        note(row, next_recovery_at=now + timedelta(seconds=max(1.0, error.retry_after)))


def _orphan(row: Verification, now: datetime) -> None:
    """Given up on, and perhaps sold to us all the same: find the number by its key, and give it back."""
    try:
        if _may_have_sold(row):
            number = there.purchase(row)
            note(row, provider_id=number.provider_id, next_recovery_at=now)
            return
    except (base.OutcomeUnknown, base.Throttled, base.Unavailable) as error:
        _later(row, error, now)
        return
    except base.ProviderError as error:
        log.info("No number was sold for %s: %s %s", row.pk, type(error).__name__, error)
    note(row, next_recovery_at=None)


def _later(row: Verification, error: base.ProviderError, now: datetime) -> None:
    age = (now - row.created_at).total_seconds()
    wait = max(min(60.0, max(2.0, age / 4)), getattr(error, "retry_after", 0.0))
    log.warning("Recovery of %s goes on in %.0f s: %s %s", row.pk, wait, type(error).__name__, error)
    note(row, next_recovery_at=now + timedelta(seconds=wait))
