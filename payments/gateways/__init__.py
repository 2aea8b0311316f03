"""The gateways by their names."""

from __future__ import annotations

from django.conf import settings

from payments.gateways.base import Gateway
from payments.gateways.stripe import Stripe

GATEWAYS: dict[str, Gateway] = {"stripe": Stripe()}


def by_name(name: str) -> Gateway:
    """The gateway of that name. Raises KeyError for one that we don't have."""
    return GATEWAYS[name]


def current() -> Gateway:
    """The one that new payments go to."""
    return by_name(settings.GATEWAY)
