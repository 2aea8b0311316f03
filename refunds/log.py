"""Log line and metric of a completed refund."""

from __future__ import annotations

import structlog
from django.utils import timezone

from config.lib import metrics, money
from refunds.models import Refund
from verifications.models import Verification
from wallet.models import TransactionType

logger = structlog.get_logger(__name__)


def refund_completed(refund: Refund, verification: Verification) -> None:
    """Log a refund and observe its latency. Call after its transaction has committed."""
    latency = timezone.now() - (verification.ended_at or refund.created_at)
    metrics.refund_latency_seconds.observe(max(latency.total_seconds(), 0))
    logger.info(
        "Auto-refund processed: Verification=%s",
        verification.pk,
        user=refund.user_id,
        amount=money.to_text(refund.amount),
        service=verification.service.name,
        type=TransactionType.VERIFICATION_REFUND.value,
        verification=str(verification.pk),
        refund=refund.reference,
        reason=refund.reason,
    )
