"""Catalogue, numbers and texts for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from verifications.models import Category, Offer, Service

CENTS = {"cost": Decimal("0.2500"), "price": 50}


def make_service(name: str = "test_pending", **fields: Any) -> Service:
    category, _ = Category.objects.get_or_create(
        slug=fields.pop("category", "testing"),
        defaults={"name": "Testing", "blocked": fields.pop("kind_blocked", False)},
    )
    service, _ = Service.objects.get_or_create(
        name=name, defaults={"title": name.title(), "category": category, **fields}
    )
    return service


def make_offer(name: str = "test_pending", **fields: Any) -> Offer:
    """An offer as the sandbox sells its test services: $0.25 there, $0.50 here."""
    service = make_service(
        name, **{key: fields.pop(key) for key in ("blocked", "fixed_price", "title") if key in fields}
    )
    return Offer.objects.get_or_create(
        service=service, country="US", provider="textverified", capability="sms", defaults={**CENTS, **fields}
    )[0]
