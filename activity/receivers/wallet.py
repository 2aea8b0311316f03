"""Journal rows become events, and are watched by the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.dispatch import receiver
from django.utils.translation import gettext as _

from activity import events, rules, services
from activity.events import Event
from config.lib import money
from wallet.models import Transaction, TransactionType
from wallet.signals import transaction_posted


@receiver(transaction_posted, dispatch_uid="activity.transaction_posted")
def record_transaction(transaction: Transaction, metadata: Mapping[str, str] | None = None, **_kwargs: Any) -> None:
    metadata = metadata or {}
    reason = metadata.get("reason")
    if not reason and transaction.type == TransactionType.SMS_PURCHASE and metadata.get("service_title"):
        reason = _("your {service} number").format(service=metadata["service_title"])
    known = {
        "amount": money.to_text(abs(transaction.amount)),
        "balance": money.to_text(transaction.balance_after),
        "transaction": transaction.reference,
        "reason": str(reason or transaction.description),
        "service": str(metadata.get("service_title") or transaction.service),
        "reference": str(metadata.get("refund_reference") or transaction.resource_id or transaction.reference),
    }
    event = event_of(transaction, metadata)
    services.record(
        event=event,
        user=transaction.wallet.user,
        data={field: known[field] for field in event.fields},
        resource=(transaction.resource_type, transaction.resource_id)
        if transaction.resource_type
        else ("transaction", transaction.reference),
        actor=str(metadata.get("actor", "")),
        now=transaction.created_at,
    )
    before = transaction.balance_after - transaction.amount
    if transaction.balance_after < settings.LOW_BALANCE_CENTS <= before:  # once for each fall through the threshold
        services.record(
            event=events.LOW_BALANCE,
            user=transaction.wallet.user,
            data={"balance": money.to_text(transaction.balance_after)},
            resource=("wallet", str(transaction.wallet_id)),
            now=transaction.created_at,
        )
    rules.watch_transaction(transaction)


def event_of(transaction: Transaction, metadata: Mapping[str, Any]) -> Event:
    """Return the event of this journal row; `metadata["actor"] == "staff"` marks a refund given by staff."""
    came, went = events.OF_TRANSACTION[transaction.type]
    event = came if transaction.amount > 0 else went
    return (
        events.REFUND_COMPLETED if event is events.INSTANT_REFUND and metadata.get("actor") == events.STAFF else event
    )
