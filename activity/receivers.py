"""Each piece of news becomes one event row, in the transaction of the news: without its row nothing happened.

Who moves money sends `transaction_posted` for it; the other signals say what it was about. So a purchase gives three
events (initiated, purchased, deducted) and an ending with a refund two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import signals as accounts_signals
from accounts.models import ApiKey, User
from activity import events, rules, services, signals
from activity.devices import device
from activity.models import Activity, Alert
from config.lib import money
from payments import signals as payments_signals
from payments.models import GatewayEvent, Payment
from verifications import signals as verifications_signals
from verifications.models import Message, Verification
from wallet import selectors as wallet_selectors
from wallet import signals as wallet_signals
from wallet.models import Transaction, TransactionType

# --- money


@receiver(wallet_signals.transaction_posted, dispatch_uid="activity.transaction_posted")
def record_transaction(transaction: Transaction, metadata: Mapping[str, str] | None = None, **_kwargs: Any) -> None:
    metadata = metadata or {}
    event = event_of(transaction, metadata)
    services.record(
        event=event,
        user=transaction.wallet.user,
        data=_data_of(event, transaction, metadata),
        resource=(transaction.resource_type, transaction.resource_id)
        if transaction.resource_type
        else ("transaction", transaction.reference),
        actor=str(metadata.get("actor", "")),
        now=transaction.created_at,
    )
    _record_low_balance(transaction)
    rules.watch_transaction(transaction)


def event_of(transaction: Transaction, metadata: Mapping[str, Any]) -> str:
    """The one event that tells this journal row; `metadata["actor"] == "staff"` marks a refund given by staff."""
    came, went = events.OF_TRANSACTION[transaction.type]
    event = came if transaction.amount > 0 else went
    return "refund_completed" if event == "instant_refund" and metadata.get("actor") == events.STAFF else event


def _data_of(event: str, transaction: Transaction, metadata: Mapping[str, Any]) -> dict[str, str]:
    """What of the row and its metadata the event declares."""
    known = {
        "amount": money.to_text(abs(transaction.amount)),
        "balance": money.to_text(transaction.balance_after),
        "transaction": transaction.reference,
        "reason": str(metadata.get("reason") or _what_for(transaction, metadata)),
        "service": str(metadata.get("service_title") or transaction.service),
        "reference": str(metadata.get("refund_reference") or transaction.resource_id or transaction.reference),
    }
    return {field: known[field] for field in events.VOCABULARY[event].fields}


def _what_for(transaction: Transaction, metadata: Mapping[str, Any]) -> str:
    if transaction.type == TransactionType.SMS_PURCHASE and metadata.get("service_title"):
        return _("your {service} number").format(service=metadata["service_title"])
    return transaction.description


def _record_low_balance(transaction: Transaction) -> None:
    """Once for each time that the balance falls through the threshold."""
    threshold = settings.LOW_BALANCE_CENTS
    before = transaction.balance_after - transaction.amount
    if transaction.balance_after < threshold <= before:
        services.record(
            event="low_balance",
            user=transaction.wallet.user,
            data={"balance": money.to_text(transaction.balance_after)},
            resource=("wallet", str(transaction.wallet_id)),
            now=transaction.created_at,
        )


# --- verifications


def _record_verification(event: str, verification: Verification, /, **data: str) -> None:
    services.record(
        event=event,
        user=verification.user,
        data={"service": verification.service.title, **data},
        resource=("verification", str(verification.pk)),
    )


@receiver(verifications_signals.verification_requested, dispatch_uid="activity.verification_requested")
def record_requested(verification: Verification, **_kwargs: Any) -> None:
    _record_verification(
        "verification_initiated",
        verification,
        country=verification.country,
        cost=money.to_text(verification.price),
    )


@receiver(verifications_signals.number_purchased, dispatch_uid="activity.number_purchased")
def record_purchased(verification: Verification, **_kwargs: Any) -> None:
    _record_verification("number_purchased", verification, phone=verification.phone_number)


@receiver(verifications_signals.verification_refused, dispatch_uid="activity.verification_refused")
def record_refused(verification: Verification, why: str, **_kwargs: Any) -> None:
    _record_verification("verification_failed", verification, why=_sentence(why))


@receiver(verifications_signals.verification_progressed, dispatch_uid="activity.verification_progressed")
def record_progressed(verification: Verification, **_kwargs: Any) -> None:
    _record_verification("verification_progress", verification)


@receiver(verifications_signals.verification_unclear, dispatch_uid="activity.verification_unclear")
def record_unclear(verification: Verification, **_kwargs: Any) -> None:
    _record_verification("verification_unclear", verification)


@receiver(verifications_signals.verification_completed, dispatch_uid="activity.verification_completed")
@receiver(verifications_signals.message_arrived, dispatch_uid="activity.message_arrived")
def record_message(verification: Verification, message: Message | None = None, **_kwargs: Any) -> None:
    """Each SMS is an event of its own, with the id of the message whose code is read when it is shown."""
    message_id = str(message.pk) if message else ""
    if message and message.code:
        pk = str(verification.pk)
        _record_verification("verification_complete", verification, verification=pk, message_id=message_id)
    else:
        _record_verification("message_received", verification, message_id=message_id)


@receiver(verifications_signals.verification_ended, dispatch_uid="activity.verification_ended")
def record_ended(verification: Verification, reason: str, why: str = "", **_kwargs: Any) -> None:
    """Record the ending, after the refund's own event: the refund is made on `refund_due`, which is sent before."""
    amount = money.to_text(verification.price)
    if reason == "timeout":
        _record_verification("verification_timeout", verification)
    elif reason == "cancelled":
        balance = money.to_text(wallet_selectors.balance_of(user=verification.user).balance)
        _record_verification("verification_cancelled", verification, amount=amount, balance=balance)
    else:
        _record_verification("verification_ended", verification, why=_sentence(why), amount=amount)


def _sentence(why: object) -> str:
    """Templates bring the full stop."""
    return str(why).strip().rstrip(".") or _("No reason was given")


# --- payments


def _record_payment(event: str, payment: Payment, **data: str) -> None:
    services.record(
        event=event,
        user=payment.user,
        data={"amount": money.to_text(payment.amount), "reference": payment.reference, **data},
        resource=("payment", payment.reference),
    )


@receiver(payments_signals.payment_initiated, dispatch_uid="activity.payment_initiated")
def record_payment_initiated(payment: Payment, **_kwargs: Any) -> None:
    _record_payment("payment_initiated", payment)


@receiver(payments_signals.payment_failed, dispatch_uid="activity.payment_failed")
def record_payment_failed(payment: Payment, **_kwargs: Any) -> None:
    _record_payment("payment_failed", payment, reason=_sentence(payment.failure_reason))


@receiver(payments_signals.payment_mismatched, dispatch_uid="activity.payment_under_review")
def record_payment_under_review(payment: Payment, **_kwargs: Any) -> None:
    _record_payment("payment_under_review", payment, paid=payment.paid_instead)


@receiver(payments_signals.payment_expired, dispatch_uid="activity.payment_expired")
def record_payment_expired(payment: Payment, **_kwargs: Any) -> None:
    _record_payment("payment_expired", payment)


# --- accounts


@receiver(accounts_signals.signed_in, dispatch_uid="activity.signed_in")
def record_signed_in(user: User, ip_address: str | None = None, user_agent: str = "", **_kwargs: Any) -> None:
    _record_signin("security_signin", user, ip_address, user_agent, timezone.now())


@receiver(accounts_signals.sign_in_failed, dispatch_uid="activity.sign_in_failed")
def record_sign_in_failed(user: User, ip_address: str | None = None, user_agent: str = "", **_kwargs: Any) -> None:
    _record_signin("signin_failed", user, ip_address, user_agent, timezone.now())


def _record_signin(event: str, user: User, ip_address: str | None, user_agent: str, now: datetime) -> None:
    services.record(
        event=event,
        user=user,
        data={"device": device(user_agent), "place": ip_address or _("an unknown place"), "time": now.isoformat()},
        resource=("user", str(user.pk)),
        ip_address=ip_address,
        user_agent=user_agent,
        now=now,
    )


@receiver(accounts_signals.settings_changed, dispatch_uid="activity.settings_changed")
def record_settings(user: User, what: str, actor: str = "", **_kwargs: Any) -> None:
    event = "settings_updated" if what in _HARMLESS else "security_settings"
    services.record(event=event, user=user, data={"what": str(what)}, resource=("user", str(user.pk)), actor=actor)


@receiver(accounts_signals.purchases_frozen, dispatch_uid="activity.purchases_frozen")
def record_frozen(user: User, frozen: bool, reason: str, **_kwargs: Any) -> None:
    event = "purchases_frozen" if frozen else "purchases_unfrozen"
    services.record(event=event, user=user, data={"reason": reason}, resource=("user", str(user.pk)))


# Not worth a security notice; everything else is.
_HARMLESS = ("name", "time zone")


@receiver(accounts_signals.policy_accepted, dispatch_uid="activity.policy_accepted")
def record_policy(user: User, version: str, ip_address: str | None = None, **_kwargs: Any) -> None:
    services.record(
        event="policy_accepted",
        user=user,
        data={"version": version},
        resource=("policy", version),
        ip_address=ip_address,
    )


@receiver(accounts_signals.api_key_created, dispatch_uid="activity.api_key_created")
def record_key_created(user: User, api_key: ApiKey, **_kwargs: Any) -> None:
    _record_key("api_key_created", user, api_key)


@receiver(accounts_signals.api_key_revoked, dispatch_uid="activity.api_key_revoked")
def record_key_revoked(user: User, api_key: ApiKey, **_kwargs: Any) -> None:
    _record_key("api_key_revoked", user, api_key)


def _record_key(event: str, user: User, api_key: ApiKey) -> None:
    services.record(event=event, user=user, data={"name": api_key.name}, resource=("api_key", str(api_key.pk)))


# --- alerts

_ROWS_IN_ALERT = 20


@receiver(signals.activities_recorded, dispatch_uid="activity.failed_signins")
def watch_failed_signins(activities: Sequence[Activity], **_kwargs: Any) -> None:
    """The rule counts rows, so it comes once they are written."""
    for activity in activities:
        if activity.event == "signin_failed":
            rules.watch_failed_signins(user=activity.user, now=activity.created_at)


@receiver(payments_signals.payment_mismatched, dispatch_uid="activity.payment_mismatched")
def alert_mismatch(payment: Payment, details: Mapping[str, Any], **_kwargs: Any) -> None:
    services.raise_alert(
        rule="gateway_mismatch",
        cause=payment.reference,
        severity=Alert.Severity.CRITICAL,
        user=payment.user,
        details=details,
    )


@receiver(payments_signals.gateway_event_given_up, dispatch_uid="activity.gateway_event_given_up")
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


@receiver(verifications_signals.provider_orphan_found, dispatch_uid="activity.provider_orphan_found")
def alert_orphan(provider: str, provider_id: str, details: Mapping[str, Any], **_kwargs: Any) -> None:
    services.raise_alert(
        rule="provider_orphan",
        cause=f"{provider}:{provider_id}",
        severity=Alert.Severity.CRITICAL,
        details=details,
    )


@receiver(verifications_signals.provider_loss_booked, dispatch_uid="activity.provider_loss_booked")
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


@receiver(verifications_signals.provider_compared, dispatch_uid="activity.provider_compared")
def alert_differences(provider: str, report: Mapping[str, Any], error: str, **_kwargs: Any) -> None:
    """Once a day: the nightly comparison found something, or could not be made."""
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


@receiver(verifications_signals.catalogue_refused, dispatch_uid="activity.catalogue_refused")
def alert_catalogue(provider: str, listed: int, lacking: int, for_sale: int, **_kwargs: Any) -> None:
    """Once a day."""
    services.raise_alert(
        rule="catalogue_refused",
        cause=f"{provider}:{timezone.now().date()}",
        severity=Alert.Severity.CRITICAL,
        details={"provider": provider, "listed": listed, "lacking": lacking, "for_sale": for_sale},
    )


@receiver(verifications_signals.provider_balance_low, dispatch_uid="activity.provider_float_low")
def alert_float(provider: str, balance: Decimal, threshold: Decimal, **_kwargs: Any) -> None:
    """Once a day for each threshold."""
    services.raise_alert(
        rule="provider_float_low",
        cause=f"{provider}:{threshold}:{timezone.now().date()}",
        severity=Alert.Severity.CRITICAL,
        details={"provider": provider, "balance": str(balance), "threshold": str(threshold)},
    )
