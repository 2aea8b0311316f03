"""Things that happen, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from activity.events import VOCABULARY, Kind
from activity.models import Activity
from activity.services import record
from config.lib.unit_of_work import unit_of_work
from payments.models import Payment
from verifications.models import Category, Service, Verification
from verifications.models import Status as VerificationStatus
from wallet import services as wallet
from wallet.models import Counterparty

EXAMPLES = {
    Kind.TEXT: "words",
    Kind.MONEY: "2.50",
    Kind.TIME: "2026-11-21T12:00:00+00:00",
    Kind.COUNTRY: "US",
    Kind.PHONE: "7155550100",
    Kind.REASON: "timeout",
}


def example_data(event: str, **given: str) -> dict[str, str]:
    """Data that the event declares."""
    return {name: EXAMPLES[kind] for name, kind in VOCABULARY[event].fields.items()} | given


def happened(user: User, event: str = "announcement", *, now: datetime | None = None, **given: Any) -> Activity:
    """An event with example data."""
    resource = given.pop("resource", ("", ""))
    with unit_of_work():
        return record(event=VOCABULARY[event], user=user, data=example_data(event, **given), resource=resource, now=now)


def make_verification(user: User, *, service: str = "WhatsApp", **fields: Any) -> Verification:
    """A verification as services leave it, waiting unless events_of otherwise. No money moves."""
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


def move(user: User, amount: int, type: str, **given: Any) -> Any:
    post = wallet.credit if amount > 0 else wallet.debit
    with unit_of_work():
        return post(
            user=user,
            amount=abs(amount),
            type=type,
            counterparty=given.pop("counterparty", Counterparty.CORRECTIONS),
            reference=given.pop("reference", "test:moved"),
            description=given.pop("description", "A reason"),
            **given,
        )


def make_payment(user: User, **fields: Any) -> Payment:
    return Payment.objects.create(
        user=user, gateway="stripe", amount=2_000, currency="USD", expires_at=datetime(2030, 1, 1, tzinfo=UTC), **fields
    )


def events_of(user: User) -> list[str]:
    return list(Activity.objects.filter(user=user).order_by("pk").values_list("event", flat=True))
