"""What happens to a payment becomes events; what goes wrong with a gateway becomes alerts.

A completed payment is recorded by its journal row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from activity import events, services
from activity.events import Event
from activity.models import Alert
from activity.wording import without_full_stop
from config.lib import money
from payments import signals
from payments.models import GatewayEvent, Payment


def _record(event: Event, payment: Payment, **data: str) -> None:
    services.record(
        event=event,
        user=payment.user,
        data={"amount": money.to_text(payment.amount), "reference": payment.reference, **data},
        resource=("payment", payment.reference),
    )


@receiver(signals.payment_initiated, dispatch_uid="activity.payment_initiated")
def record_initiated(payment: Payment, **_kwargs: Any) -> None:
    _record(events.PAYMENT_INITIATED, payment)


@receiver(signals.payment_failed, dispatch_uid="activity.payment_failed")
def record_failed(payment: Payment, **_kwargs: Any) -> None:
    _record(events.PAYMENT_FAILED, payment, reason=without_full_stop(payment.failure_reason))


@receiver(signals.payment_mismatched, dispatch_uid="activity.payment_under_review")
def record_under_review(payment: Payment, **_kwargs: Any) -> None:
    _record(events.PAYMENT_UNDER_REVIEW, payment, paid=payment.paid_instead)


@receiver(signals.payment_expired, dispatch_uid="activity.payment_expired")
def record_expired(payment: Payment, **_kwargs: Any) -> None:
    _record(events.PAYMENT_EXPIRED, payment)


@receiver(signals.payment_mismatched, dispatch_uid="activity.payment_mismatched")
def alert_mismatch(payment: Payment, details: Mapping[str, Any], **_kwargs: Any) -> None:
    services.raise_alert(
        rule="gateway_mismatch",
        cause=payment.reference,
        severity=Alert.Severity.CRITICAL,
        user=payment.user,
        details=details,
    )


@receiver(signals.gateway_event_given_up, dispatch_uid="activity.gateway_event_given_up")
def alert_gateway_event(event: GatewayEvent, now: datetime, **_kwargs: Any) -> None:
    services.raise_alert(
        rule="gateway_event_given_up",
        cause=f"{event.pk}:{now:%Y-%m-%d}",  # one that was replayed may be given up again
        severity=Alert.Severity.CRITICAL,
        details={
            "gateway": event.gateway,
            "event_id": event.event_id,
            "type": event.type,
            "attempts": event.attempts,
            "error": event.error,
        },
    )
