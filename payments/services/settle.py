"""Ask the gateway how a payment stands, and apply its answer, while the customer waits."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils.translation import gettext as _

from config.lib import faults
from config.lib.remote.errors import RemoteError, Throttled
from payments import gateways
from payments.models import Payment, PaymentStatus
from payments.services.checkout import GatewayUnavailable, open_for_customer
from payments.services.outcome import apply

log = logging.getLogger(__name__)


def settle(*, payment: Payment, now: datetime) -> Payment:
    """Return the payment as the gateway says it stands: for the return page and the verify call.

    A completed one isn't asked about again, and one whose checkout never opened gets it here. Raises
    GatewayUnavailable; nothing is lost by that, since the webhook and the regular check settle it too.
    """
    if payment.status == PaymentStatus.COMPLETED:
        return payment
    if not payment.gateway_id:
        if payment.status != PaymentStatus.INITIATED or now >= payment.expires_at:
            return payment  # there is nothing to ask about; the regular check ends it
        payment = open_for_customer(payment=payment, now=now)
    try:
        state = gateways.by_name(payment.gateway).fetch(payment.gateway_id)
    except RemoteError as error:
        log.warning("Payment %s could not be settled: %s: %s", payment.reference, type(error).__name__, error)
        raise GatewayUnavailable(
            _("The payment gateway isn't responding right now. If you have paid, the money is added later."),
            reference=payment.reference,
            retry_after=error.retry_after if isinstance(error, Throttled) else 10,
        ) from error
    faults.point("settle.answered")
    return apply(payment=payment, state=state, now=now)
