"""What the log and the metrics say about a movement: once it is committed, with ids and amounts."""

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
    logger.info("Credits deducted" if row.amount < 0 else "Credits added", **facts)
    old, new = money.display(row.balance_after - row.amount), money.display(row.balance_after)
    logger.info("Balance %s → %s", old, new, user=row.wallet.user_id)
    logger.info("Transaction created", transaction=row.pk, sequence=row.sequence, **facts)
