"""Reads of this app."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from accounts.models import User
from wallet.models import Hold, HoldStatus, Transaction, TransactionType, Wallet

REFUND = "refund"  # both kinds, in the API's and the pages' filter
REFUND_TYPES = (TransactionType.VERIFICATION_REFUND, TransactionType.PAYMENT_REFUND)


def balance_of(*, user: User) -> Wallet:
    """The wallet as it stands in the database; unsaved zeros where the user has none yet."""
    return Wallet.objects.filter(user=user).first() or Wallet(user=user)


def transactions_of(
    *,
    user: User,
    type: str | None = None,  # noqa: A002  the field's name
    start: datetime | None = None,
    end: datetime | None = None,
) -> QuerySet[Transaction]:
    """The user's journal, newest first. `type` is a stored type or "refund"; `start` is included, `end` is not."""
    # The wallet as a scalar, not a join: PostgreSQL then walks (wallet, sequence) backwards and sorts nothing.
    wallet = Wallet.objects.filter(user=user).values("pk")[:1]
    rows = Transaction.objects.filter(wallet_id=wallet).order_by("-sequence")
    if type:
        rows = rows.filter(type__in=REFUND_TYPES if type == REFUND else (type,))
    if start is not None:
        rows = rows.filter(created_at__gte=start)
    if end is not None:
        rows = rows.filter(created_at__lt=end)
    return rows


def hold_of(*, reference: str) -> Hold:
    """The hold of that reference, its wallet with it. Raises Hold.DoesNotExist."""
    return Hold.objects.select_related("wallet").get(reference=reference)


def transaction_of(*, reference: str) -> Transaction:
    """The journal row of that reference, its wallet with it. Raises Transaction.DoesNotExist."""
    return Transaction.objects.select_related("wallet").get(reference=reference)


def holds_of(*, user: User) -> QuerySet[Hold]:
    """What is held of the user's money now, newest first."""
    return Hold.objects.filter(wallet__user=user, status=HoldStatus.ACTIVE).order_by("-id")
