"""Catalogue rows for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils import timezone

from verifications.models import Category, Offer, Service


def make_service(name: str = "test_pending", **fields: Any) -> Service:
    category, _ = Category.objects.get_or_create(slug="testing", defaults={"name": "Testing"})
    defaults = {"title": name.title(), "category": category, **fields}
    return Service.objects.get_or_create(name=name, defaults=defaults)[0]


def make_offer(name: str = "test_pending", **fields: Any) -> Offer:
    """An offer as the sandbox sells its test services: $0.25 there, $0.50 here. Just quoted."""
    of_service = {key: fields.pop(key) for key in ("blocked", "fixed_price", "title") if key in fields}
    return Offer.objects.get_or_create(
        service=make_service(name, **of_service),
        country="US",
        provider="textverified",
        capability="sms",
        defaults={"cost": Decimal("0.2500"), "price": 50, "quoted_at": timezone.now(), **fields},
    )[0]
