"""Balances and journal rows become frames."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from notifications.realtime import frames, hints
from wallet import signals
from wallet.models import Transaction, Wallet


@receiver(signals.balance_changed, dispatch_uid="notifications.balance_changed")
def push_balance(wallet: Wallet, transaction: Transaction | None = None, **_kwargs: Any) -> None:
    frame = frames.balance_update(
        balance=wallet.balance,
        held=wallet.held,
        version=wallet.version,
        now=timezone.now(),
        transaction=transaction,
    )
    hints.push(user_id=wallet.user_id, build=lambda: frame)


@receiver(signals.transaction_posted, dispatch_uid="notifications.transaction_posted")
def push_transaction(transaction: Transaction, **_kwargs: Any) -> None:
    """Push it to the console, which follows every customer's money."""
    frame = frames.transaction(transaction)
    hints.push_staff(build=lambda: frame)
