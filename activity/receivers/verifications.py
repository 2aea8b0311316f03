"""What happens to a verification becomes events; what goes wrong with the provider becomes alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from activity import events, services
from activity.events import Event
from activity.models import Alert
from activity.wording import without_full_stop
from config.lib import money
from verifications import signals
from verifications.models import Message, Verification
from wallet import selectors as wallet_selectors

_ROWS_IN_ALERT = 20


def _record(event: Event, verification: Verification, /, **data: str) -> None:
    services.record(
        event=event,
        user=verification.user,
        data={"service": verification.service.title, **data},
        resource=("verification", str(verification.pk)),
    )


@receiver(signals.verification_requested, dispatch_uid="activity.verification_requested")
def record_requested(verification: Verification, **_kwargs: Any) -> None:
    cost = money.to_text(verification.price)
    _record(events.VERIFICATION_INITIATED, verification, country=verification.country, cost=cost)


@receiver(signals.number_purchased, dispatch_uid="activity.number_purchased")
def record_purchased(verification: Verification, **_kwargs: Any) -> None:
    _record(events.NUMBER_PURCHASED, verification, phone=verification.phone_number)


@receiver(signals.verification_refused, dispatch_uid="activity.verification_refused")
def record_refused(verification: Verification, why: str, **_kwargs: Any) -> None:
    _record(events.VERIFICATION_FAILED, verification, why=without_full_stop(why))


@receiver(signals.verification_progressed, dispatch_uid="activity.verification_progressed")
def record_progressed(verification: Verification, **_kwargs: Any) -> None:
    _record(events.VERIFICATION_PROGRESS, verification)


@receiver(signals.verification_unclear, dispatch_uid="activity.verification_unclear")
def record_unclear(verification: Verification, **_kwargs: Any) -> None:
    _record(events.VERIFICATION_UNCLEAR, verification)


@receiver(signals.verification_completed, dispatch_uid="activity.verification_completed")
@receiver(signals.message_arrived, dispatch_uid="activity.message_arrived")
def record_message(verification: Verification, message: Message | None = None, **_kwargs: Any) -> None:
    """Record each SMS as an event of its own, with the id of the message whose code is read when it is shown."""
    message_id = str(message.pk) if message else ""
    if message and message.code:
        pk = str(verification.pk)
        _record(events.VERIFICATION_COMPLETE, verification, verification=pk, message_id=message_id)
    else:
        _record(events.MESSAGE_RECEIVED, verification, message_id=message_id)


@receiver(signals.verification_ended, dispatch_uid="activity.verification_ended")
def record_ended(verification: Verification, reason: str, why: str = "", **_kwargs: Any) -> None:
    """Record the ending, after the refund's own event: the refund is made on `refund_due`, which is sent before."""
    amount = money.to_text(verification.price)
    if reason == "timeout":
        _record(events.VERIFICATION_TIMEOUT, verification)
    elif reason == "cancelled":
        balance = money.to_text(wallet_selectors.balance_of(user=verification.user).balance)
        _record(events.VERIFICATION_CANCELLED, verification, amount=amount, balance=balance)
    else:
        _record(events.VERIFICATION_ENDED, verification, why=without_full_stop(why), amount=amount)


@receiver(signals.provider_orphan_found, dispatch_uid="activity.provider_orphan_found")
def alert_orphan(provider: str, provider_id: str, details: Mapping[str, Any], **_kwargs: Any) -> None:
    services.raise_alert(
        rule="provider_orphan",
        cause=f"{provider}:{provider_id}",
        severity=Alert.Severity.CRITICAL,
        details=details,
    )


@receiver(signals.provider_loss_booked, dispatch_uid="activity.provider_loss_booked")
def alert_loss(verification: Verification, **_kwargs: Any) -> None:
    services.raise_alert(
        rule="provider_loss",
        cause=str(verification.pk),
        severity=Alert.Severity.WARNING,
        user=verification.user,
        details={
            "verification": str(verification.pk),
            "provider": verification.provider,
            "provider_id": verification.provider_id,
            "cost": str(verification.cost) if verification.cost is not None else "",
        },
    )


@receiver(signals.provider_compared, dispatch_uid="activity.provider_compared")
def alert_differences(provider: str, report: Mapping[str, Any], error: str, **_kwargs: Any) -> None:
    """Raise an alert once a day: the nightly comparison found something, or could not be made."""
    rows = report.get("rows", [])[:_ROWS_IN_ALERT]
    problems = Counter(row["problem"] for row in report.get("rows", []))
    ours_runs_on = problems["orphan"] or problems["left_open"]
    services.raise_alert(
        rule="provider_reconcile",
        cause=f"{provider}:{timezone.now().date()}",
        severity=Alert.Severity.CRITICAL if ours_runs_on else Alert.Severity.WARNING,
        details={
            "provider": provider,
            "found": report.get("found", 0),
            "mended": report.get("mended", 0),
            "amount": report.get("amount", ""),
            "problems": dict(problems),
            "rows": rows,
            "error": error,
        },
    )


@receiver(signals.catalogue_refused, dispatch_uid="activity.catalogue_refused")
def alert_catalogue(provider: str, listed: int, lacking: int, for_sale: int, **_kwargs: Any) -> None:
    """Raise an alert once a day."""
    services.raise_alert(
        rule="catalogue_refused",
        cause=f"{provider}:{timezone.now().date()}",
        severity=Alert.Severity.CRITICAL,
        details={"provider": provider, "listed": listed, "lacking": lacking, "for_sale": for_sale},
    )


@receiver(signals.provider_balance_low, dispatch_uid="activity.provider_float_low")
def alert_balance(provider: str, balance: Decimal, threshold: Decimal, **_kwargs: Any) -> None:
    """Raise an alert once a day for each threshold."""
    services.raise_alert(
        rule="provider_float_low",
        cause=f"{provider}:{threshold}:{timezone.now().date()}",
        severity=Alert.Severity.CRITICAL,
        details={"provider": provider, "balance": str(balance), "threshold": str(threshold)},
    )
