"""Payments and webhooks for tests."""

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from payments.models import GatewayEvent, Payment

_numbers = count(1)
CENTS = 20_00


def make_payment(user: User | None = None, *, age: timedelta = timedelta(0), **fields: Any) -> Payment:
    """An initiated top-up of $20.00, as it stands between the row and the checkout."""
    begun = timezone.now() - age
    defaults = {
        "gateway": "stripe",
        "amount": CENTS,
        "currency": settings.CURRENCY,
        "created_at": begun,
        "expires_at": begun + timedelta(seconds=settings.PAYMENT_EXPIRES_AFTER_SECONDS),
        "next_check_at": begun + timedelta(seconds=60),
    }
    return Payment.objects.create(user=user or make_user(), **{**defaults, **fields})


def make_event(payment: Payment | None = None, kind: str = "checkout.session.completed", **fields: Any) -> GatewayEvent:
    """A kept event about the payment's checkout (or one of nobody's)."""
    payload = event_body(kind, session=payment.gateway_id if payment else "cs_test_unknown")
    return GatewayEvent.objects.create(gateway="stripe", event_id=payload["id"], type=kind, payload=payload, **fields)


def event_body(
    kind: str = "checkout.session.completed", *, session: str = "cs_1", reference: str | None = None
) -> dict:
    thing = {"id": session, "object": "checkout.session", "client_reference_id": reference}
    return {"id": f"evt_{next(_numbers)}", "object": "event", "type": kind, "data": {"object": thing}}


def signed(body: dict | bytes, *, at: datetime | None = None, secret: str = "", also: str = "") -> dict[str, Any]:
    """Arguments of the test client's post: the body, and Stripe's signature over it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    moment = int((at or timezone.now()).timestamp())
    key = (secret or settings.STRIPE_WEBHOOK_SECRET).encode()
    digest = hmac.new(key, f"{moment}.".encode() + raw, hashlib.sha256).hexdigest()
    header = ",".join([f"t={moment}", *([f"v1={also}"] if also else []), f"v1={digest}"])
    return {"data": raw, "content_type": "application/json", "headers": {"Stripe-Signature": header}}
