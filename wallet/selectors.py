"""Reads of this app."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from accounts.models import User
from wallet.models import Hold, HoldStatus, Transaction, TransactionType, Wallet

REFUND = "refund"  # both kinds, in the API's and the pages' filter
REFUND_TYPES = (TransactionType.VERIFICATION_REFUND, TransactionType.PAYMENT_REFUND)


def balance_of(*, user: User) -> Wallet:
    """Return the user's wallet from the database, or an unsaved one with zeros if there is none yet."""
    return Wallet.objects.filter(user=user).first() or Wallet(user=user)


def transactions_of(
    *,
    user: User,
    type: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> QuerySet[Transaction]:
    """Return the user's journal, newest first, from `start` to before `end`. `type` is a stored type or "refund"."""
    # The wallet as a scalar, not a join: PostgreSQL then reads the index (wallet, sequence) backwards without a sort.
    wallet = Wallet.objects.filter(user=user).values("pk")[:1]
    rows = Transaction.objects.filter(wallet_id=wallet).order_by("-sequence")
    if type:
        rows = rows.filter(type__in=REFUND_TYPES if type == REFUND else (type,))
    if start is not None:
        rows = rows.filter(created_at__gte=start)
    if end is not None:
        rows = rows.filter(created_at__lt=end)
    return rows


def holds_of(*, user: User) -> QuerySet[Hold]:
    """Return the user's active holds, newest first."""
    return Hold.objects.filter(wallet__user=user, status=HoldStatus.ACTIVE).order_by("-id")


def monitor(*, since: datetime) -> dict[str, Any]:
    """Return all customers' movements since then: sums in cents, and the last 20 rows with their wallets."""
    rows = Transaction.objects.filter(created_at__gte=since)
    by_type = {
        row["type"]: {"count": row["count"], "amount": row["total"]}
        for row in rows.order_by("type").values("type").annotate(count=Count("pk"), total=Sum("amount"))
    }
    sums = rows.aggregate(
        users=Count("wallet", distinct=True),
        added=Sum("amount", filter=Q(type=TransactionType.CREDIT, amount__gt=0), default=0),
    )

    def moved(kind: str) -> int:
        return by_type.get(kind, {"amount": 0})["amount"]

    return {
        "total_transactions": sum(row["count"] for row in by_type.values()),
        "credits_added": sums["added"],
        "credits_spent": -moved(TransactionType.SMS_PURCHASE),
        "refunds_issued": moved(TransactionType.VERIFICATION_REFUND),
        "unique_users": sums["users"],
        "by_type": {kind: row["count"] for kind, row in by_type.items()},
        "amount_by_type": {kind: row["amount"] for kind, row in by_type.items()},
        "recent_transactions": list(rows.select_related("wallet").order_by("-created_at", "-id")[:20]),
    }
