"""The gateways by their names. Another one is a file beside stripe.py, a row here, and its settings."""

from __future__ import annotations

from payments.gateways.base import Gateway
from payments.gateways.stripe import Stripe

GATEWAYS: dict[str, Gateway] = {"stripe": Stripe()}


def by_name(name: str) -> Gateway:
    """Return the gateway of that name. Raises KeyError for one that we don't have."""
    return GATEWAYS[name]
