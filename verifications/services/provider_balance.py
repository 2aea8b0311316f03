"""Watch our balance at the provider, which every purchase is paid from."""

from __future__ import annotations

from decimal import Decimal

import structlog
from django.conf import settings
from django.core.cache import cache

from config.lib import metrics
from config.lib.remote.errors import RemoteError
from config.lib.unit_of_work import unit_of_work
from verifications import signals
from verifications.models import Offer
from verifications.providers.base import Provider

log = structlog.get_logger(__name__)


def check_balance(*, provider: Provider) -> Decimal | None:
    """Return our balance at the provider, None where it does not answer.

    Sends provider_balance_low once for each of PROVIDER_FLOAT_THRESHOLDS that the balance fell below.
    """
    try:
        balance = provider.balance()
    except RemoteError as error:
        log.warning("provider_balance_unknown", provider=provider.name, error=f"{type(error).__name__} {error}")
        return None
    metrics.provider_float.labels(provider.name).set(float(balance))
    below = [threshold for threshold in settings.PROVIDER_FLOAT_THRESHOLDS if balance < threshold]
    key = f"verifications:float-told:{provider.name}"
    lowest, reported = min(below, default=None), cache.get(key)
    if lowest is not None and (reported is None or lowest < Decimal(reported)):
        with unit_of_work():
            signals.provider_balance_low.send(sender=Offer, provider=provider.name, balance=balance, threshold=lowest)
    if lowest is None:
        cache.delete(key)
    else:
        cache.set(key, str(lowest), timeout=None)
    return balance
