"""Log lines and metrics of a committed journal row.

Operators search for these sentences (docs/architecture.md); the values are also logged as separate fields.
"""

from __future__ import annotations

import structlog

from config.lib import metrics, money
from wallet.models import Transaction

logger = structlog.get_logger(__name__)


def transaction_posted(row: Transaction) -> None:
    """Log and count a journal row. Call after its transaction has committed."""
    metrics.transactions_total.labels(type=row.type, status=row.status).inc()
    facts = {
        "user": row.wallet.user_id,
        "amount": money.to_text(row.amount),
        "type": row.type,
        "service": row.service,
        "reference": row.reference,
    }
    if row.resource_type:
        facts[row.resource_type] = row.resource_id
    user, amount = facts["user"], facts["amount"]
    verb, service = "deducted" if row.amount < 0 else "added", f", Service={row.service}" if row.service else ""
    logger.info("Credits %s: User=%s, Amount=%s%s", verb, user, money.to_text(abs(row.amount)), service, **facts)
    old, new = money.to_text(row.balance_after - row.amount), money.to_text(row.balance_after)
    logger.info("Balance: User=%s, %s → %s", user, old, new, user=user, old=old, new=new)
    created = "Transaction created: Type=%s, User=%s, Amount=%s"
    logger.info(created, row.type, user, amount, transaction=row.pk, sequence=row.sequence, **facts)
