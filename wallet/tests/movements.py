"""Short ways to move money, and to look at what was moved."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from wallet import services
from wallet.models import Hold, Transaction, Wallet


def top_up(user: User, amount: int = 500, reference: str = "payment:1", **changes: Any) -> Transaction:
    content = {"type": "credit", "counterparty": "gateway:stripe", "description": "Top-up", **changes}
    return services.credit(user=user, amount=amount, reference=reference, **content)


def fee(user: User, amount: int, reference: str = "fee:1", **changes: Any) -> Transaction:
    content = {"type": "debit", "counterparty": "fees", "description": "Fee", **changes}
    return services.debit(user=user, amount=amount, reference=reference, **content)


def set_aside(user: User, amount: int = 250, reference: str = "verification:1", **changes: Any) -> Hold:
    content = {
        "description": "WhatsApp",
        "service": "whatsapp",
        "resource": ("verification", "1"),
        **changes,
    }
    return services.hold(user=user, amount=amount, reference=reference, **content)


def money(user: User) -> tuple[int, int, int]:
    return Wallet.objects.values_list("balance", "held", "version").get(user=user)


def row(posted: Transaction) -> dict[str, Any]:
    names = ("sequence", "amount", "type", "counterparty", "balance_after", "reference", "reverses_id")
    names += ("description", "service", "resource_type", "resource_id", "status")
    return {name: getattr(posted, name) for name in names}


def set_aside_with_money(user: User) -> Hold:
    top_up(user, 500)
    return set_aside(user, 250)
