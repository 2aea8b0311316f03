"""What the log and the metrics say about a movement: once it is committed, with ids and amounts.

The sentences are what operators search for (docs/architecture.md); their values stand in fields of their own besides.
"""

from __future__ import annotations

import structlog
from django.db import transaction as db

from config.lib import metrics, money
from wallet.models import Transaction

logger = structlog.get_logger(__name__)


def posted(row: Transaction) -> None:
    db.on_commit(lambda: _tell(row), robust=True)


def _tell(row: Transaction) -> None:
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
