"""When staff are alerted: small rules over what was just recorded. Thresholds are settings."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import User
from activity import services
from activity.models import Activity, Alert
from config.lib import money
from wallet.models import Transaction, TransactionType


def watch_transaction(transaction: Transaction) -> None:
    """Raise the alerts that a new journal row gives reason to."""
    _large_deduction(transaction)
    _rapid_transactions(transaction)


def _large_deduction(transaction: Transaction) -> None:
    if transaction.type == TransactionType.SMS_PURCHASE and -transaction.amount > settings.LARGE_DEDUCTION_CENTS:
        services.raise_alert(
            rule="large_deduction",
            cause=transaction.reference,
            severity=Alert.Severity.WARNING,
            user=transaction.wallet.user,
            transaction=transaction,
            details={"amount": money.to_text(-transaction.amount), "service": transaction.service},
        )


def _rapid_transactions(transaction: Transaction) -> None:
    """Alert where more rows than allowed fit the window. The journal is numbered without gaps, so one row tells."""
    earlier = transaction.sequence - settings.RAPID_TRANSACTIONS
    if earlier < 1:
        return
    seconds = settings.RAPID_TRANSACTIONS_SECONDS
    since = transaction.created_at - timedelta(seconds=seconds)
    rows = Transaction.objects.filter(wallet_id=transaction.wallet_id, sequence=earlier, created_at__gte=since)
    if rows.exists():
        services.raise_alert(
            rule="rapid_transactions",
            cause=f"{transaction.wallet_id}:{_window(transaction.created_at, seconds)}",
            severity=Alert.Severity.WARNING,
            user=transaction.wallet.user,
            transaction=transaction,
            details={"transactions": settings.RAPID_TRANSACTIONS + 1, "seconds": seconds},
        )


def watch_failed_signins(*, user: User, now: datetime) -> None:
    """Raise one alert for each window in which a customer's sign-in failed too often."""
    seconds = settings.FAILED_SIGNINS_SECONDS
    since = now - timedelta(seconds=seconds)
    failed = Activity.objects.filter(user=user, activity_type="login", event="signin_failed", created_at__gte=since)
    times = failed.count()
    if times >= settings.FAILED_SIGNINS:
        services.raise_alert(
            rule="repeated_failed_signins",
            cause=f"{user.pk}:{_window(now, seconds)}",
            severity=Alert.Severity.WARNING,
            user=user,
            details={"times": times, "seconds": seconds},
        )


def _window(moment: datetime, seconds: int) -> int:
    return int(moment.timestamp()) // seconds
