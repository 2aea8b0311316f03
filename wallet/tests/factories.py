"""Money for tests."""

from __future__ import annotations

from uuid import uuid4

from accounts.models import User
from config.lib.unit_of_work import unit_of_work
from wallet import services
from wallet.models import Counterparty, Transaction, TransactionType


def funded(user: User, cents: int) -> Transaction:
    """Gives the user so much, as a bonus."""
    with unit_of_work():
        return services.credit(
            user=user,
            amount=cents,
            type=TransactionType.BONUS,
            counterparty=Counterparty.PROMOTIONS,
            reference=f"test:{uuid4()}",
            description="Money for a test",
        )
