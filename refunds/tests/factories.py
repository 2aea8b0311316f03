"""Verifications and refunds for tests, without a provider."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from config.lib.unit_of_work import unit_of_work
from refunds.models import Refund
from refunds.services import refund_verification
from verifications.models import OPEN, Category, Service, Status, Verification
from wallet import services as wallet
from wallet.models import TransactionType


def make_service(name: str = "whatsapp", title: str = "WhatsApp") -> Service:
    category = Category.objects.get_or_create(slug="messaging", defaults={"name": "Messaging"})[0]
    return Service.objects.get_or_create(name=name, defaults={"title": title, "category": category})[0]


def bought(user: User, *, price: int = 250, status: str = Status.WAITING, charged: bool = True) -> Verification:
    """Return a verification of a funded user, charged as a purchase is, in any state and without a refund."""
    now = timezone.now()
    fields: dict[str, Any] = {"ended_at": None if status in OPEN else now}
    with unit_of_work():
        verification = Verification.objects.create(
            user=user,
            service=make_service(),
            country="US",
            price=price,
            currency="USD",
            status=status,
            charged=charged,
            provider="textverified",
            expires_at=now + timedelta(minutes=15),
            **fields,
        )
        if charged:
            hold = wallet.hold(
                user=user,
                amount=price,
                reference=f"verification:{verification.pk}",
                description="WhatsApp",
                service="whatsapp",
                resource=("verification", str(verification.pk)),
            )
            wallet.capture(hold=hold.reference, user=user, type=TransactionType.SMS_PURCHASE)
    return verification


def make_refund(verification: Verification, *, reason: str = "timeout", now: datetime | None = None) -> Refund:
    """Refund it in a transaction of its own."""
    with unit_of_work():
        return refund_verification(verification=verification, reason=reason, now=now)


def end(verification: Verification, status: str = Status.TIMED_OUT) -> Verification:
    """End it without a code and without a signal, as a crash or a bug would leave it."""
    Verification.objects.filter(pk=verification.pk).update(status=status, ended_at=timezone.now())
    return Verification.objects.get(pk=verification.pk)
