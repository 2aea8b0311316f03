"""Things that happen, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from activity.events import VOCABULARY, Kind
from activity.models import Activity
from activity.services import record
from verifications.models import Category, Service, Verification
from verifications.models import Status as VerificationStatus

EXAMPLES = {
    Kind.TEXT: "words",
    Kind.MONEY: "2.50",
    Kind.TIME: "2026-11-21T12:00:00+00:00",
    Kind.COUNTRY: "US",
    Kind.REASON: "timeout",
}


def example_data(event: str, **given: str) -> dict[str, str]:
    """Data that the event declares."""
    return {name: EXAMPLES[kind] for name, kind in VOCABULARY[event].fields.items()} | given


def happened(user: User, event: str = "announcement", *, now: datetime | None = None, **given: Any) -> Activity:
    """An event with example data."""
    resource = given.pop("resource", ("", ""))
    return record(event=event, user=user, data=example_data(event, **given), resource=resource, now=now)


def make_verification(user: User, *, service: str = "WhatsApp", **fields: Any) -> Verification:
    """A verification as services leave it, waiting unless told otherwise. No money moves."""
    category, _ = Category.objects.get_or_create(slug="social", defaults={"name": "Social"})
    kept, _ = Service.objects.get_or_create(name=service.lower(), defaults={"title": service, "category": category})
    status = fields.setdefault("status", VerificationStatus.WAITING)
    if status not in {VerificationStatus.REQUESTED, VerificationStatus.WAITING}:
        fields.setdefault("ended_at", timezone.now())
    return Verification.objects.create(
        user=user,
        service=kept,
        country="US",
        price=fields.pop("price", 250),
        currency="USD",
        charged=fields.pop("charged", status != VerificationStatus.REQUESTED),
        provider="textverified",
        provider_id=fields.pop("provider_id", f"lr_{Verification.objects.count() + 1}"),
        phone_number=fields.pop("phone_number", "+12065550100"),
        expires_at=timezone.now() + timedelta(minutes=10),
        **fields,
    )
