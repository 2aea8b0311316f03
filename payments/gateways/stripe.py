"""Stripe Checkout through the official SDK. https://docs.stripe.com/api/checkout/sessions"""

from __future__ import annotations

import hmac
import json
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, NoReturn

import requests
import stripe
from django.conf import settings

from config.lib.remote.errors import (
    BadPayload,
    BadSignature,
    NotFound,
    OutcomeUnknown,
    Rejected,
    RemoteError,
    Throttled,
    Unavailable,
)
from payments.gateways.base import (
    CheckoutRequest,
    CheckoutSession,
    EventKind,
    GatewayEventData,
    GatewayState,
    GatewayStatus,
    asking,
)

log = logging.getLogger(__name__)

# A session's (status, payment_status) in our words. What is complete and unpaid, its payment intent decides (below).
SESSIONS: dict[tuple[str, str], GatewayStatus] = {
    ("open", "unpaid"): "open",
    ("open", "no_payment_required"): "open",
    ("complete", "paid"): "paid",
    ("complete", "no_payment_required"): "paid",
    ("expired", "unpaid"): "expired",
    ("expired", "no_payment_required"): "expired",
}
# The intent's status where a session is complete and unpaid: slow methods (bank debits, vouchers).
INTENTS: dict[str, GatewayStatus] = {
    "processing": "processing",
    "requires_action": "processing",
    "requires_confirmation": "processing",
    "requires_capture": "processing",
    "succeeded": "processing",  # the session follows in a moment
    "requires_payment_method": "failed",
    "canceled": "failed",
}
EVENTS: dict[str, EventKind] = {
    "checkout.session.completed": "settles",
    "checkout.session.expired": "settles",
    "checkout.session.async_payment_succeeded": "settles",
    "checkout.session.async_payment_failed": "settles",
    "refund.created": "later",
    "refund.updated": "later",
    "refund.failed": "later",
    "charge.dispute.created": "later",
    "charge.dispute.updated": "later",
    "charge.dispute.closed": "later",
    "charge.dispute.funds_withdrawn": "later",
    "charge.dispute.funds_reinstated": "later",
}  # all others: ignored

# Stripe takes 30 minutes to 24 hours from when it gets the request; a minute is for the way there.
SHORTEST, LONGEST = timedelta(minutes=31), timedelta(hours=23, minutes=59)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_SIGNED_AT = re.compile(r"(?:^|,)t=(\d{1,12})(?:,|$)")


class Stripe:
    name = "stripe"
    title = "Stripe"

    def create(self, request: CheckoutRequest) -> CheckoutSession:
        earliest, latest = request.created_at + SHORTEST, request.created_at + LONGEST
        params: dict[str, Any] = {
            "mode": "payment",
            "client_reference_id": request.reference,
            "success_url": request.success_url,
            "cancel_url": request.cancel_url,
            "expires_at": int(min(max(request.expires_at, earliest), latest).timestamp()),
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": request.currency.lower(),
                        "unit_amount": request.amount,
                        "product_data": {"name": request.description},
                    },
                }
            ],
        }
        if request.email:
            params["customer_email"] = request.email
        with asking(self.name, "checkout"), _changing():
            session = _client().v1.checkout.sessions.create(
                params,  # type: ignore[arg-type]
                {"idempotency_key": request.reference},
            )
            return CheckoutSession(
                id=session.id, url=session.url or "", expires_at=datetime.fromtimestamp(session.expires_at, tz=UTC)
            )

    def fetch(self, gateway_id: str) -> GatewayState:
        with asking(self.name, "payment"), _reading():
            return _state(_client().v1.checkout.sessions.retrieve(gateway_id))

    def expire(self, gateway_id: str) -> GatewayState:
        with asking(self.name, "payment"), _changing():
            return _state(_client().v1.checkout.sessions.expire(gateway_id))

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes, now: datetime) -> GatewayEventData:
        _verify(header=headers.get("Stripe-Signature", ""), body=body, now=now)
        try:
            # PostgreSQL's jsonb knows neither NaN, nor infinity ("1e999"), nor the NUL character.
            payload = _writable(json.loads(body, parse_constant=_refuse_constant, parse_float=_finite))
            if _NUL.search(body):
                raise BadPayload("The body contains a NUL character.")
        except (ValueError, RecursionError) as error:
            raise BadPayload("The body is not JSON.") from error
        return self.read_event(payload)

    def read_event(self, payload: Mapping[str, Any]) -> GatewayEventData:
        try:
            event_id, kind_of_event, thing = payload["id"], payload["type"], payload["data"]["object"]
            about_session = thing.get("object") == "checkout.session"
            gateway_id = thing["id"] if about_session else ""
            reference = (thing.get("client_reference_id") or "") if about_session else ""
        except (KeyError, TypeError, AttributeError) as error:
            raise BadPayload("The body is no Stripe event: it needs id, type and data.object.") from error
        for value, longest in ((event_id, 120), (kind_of_event, 80), (gateway_id, 120), (reference, 200)):
            if not isinstance(value, str) or len(value) > longest:
                raise BadPayload(f"The event's id, type and references are texts of at most {longest} characters.")
        kind = EVENTS.get(kind_of_event, "ignored")
        if kind == "settles" and not gateway_id:
            raise BadPayload(f"A {kind_of_event} without a checkout session.")
        return GatewayEventData(
            id=event_id,
            type=kind_of_event,
            kind=kind,
            payload=dict(payload),
            gateway_id=gateway_id,
            reference=reference,
        )


def _client() -> stripe.StripeClient:
    return _make_client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, settings.GATEWAY_TIMEOUT_SECONDS)


@lru_cache(maxsize=8)
def _make_client(key: str, base: str, timeout: float) -> stripe.StripeClient:
    """One for a process: its HTTP client keeps a session for each thread."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": base},
        max_network_retries=0,  # the services say what may be asked again
        http_client=stripe.RequestsClient(timeout=timeout),
    )


def _state(session: stripe.checkout.Session) -> GatewayState:
    status: GatewayStatus
    reason = ""
    if (session.status, session.payment_status) == ("complete", "unpaid"):
        status, reason = _unpaid(session)
    else:
        status = SESSIONS[session.status or "", session.payment_status]
    return GatewayState(
        status=status,
        amount=int(session.amount_total or 0),
        currency=(session.currency or "").upper(),
        gateway_id=session.id,
        failure_reason=reason,
    )


def _unpaid(session: stripe.checkout.Session) -> tuple[GatewayStatus, str]:
    """Whether the money is still on its way, or never comes, and why."""
    intent = session.payment_intent
    if intent is None:
        return "processing", ""
    found = intent if not isinstance(intent, str) else _client().v1.payment_intents.retrieve(intent)
    error = getattr(found, "last_payment_error", None)
    return INTENTS[found.status], (getattr(error, "message", None) or "")


@contextmanager
def _changing() -> Iterator[None]:
    """Stripe's errors in our words, for a request that changes something."""
    with _answering(unclear=OutcomeUnknown):
        yield


@contextmanager
def _reading() -> Iterator[None]:
    """The same for one that doesn't: without an answer nothing was learnt, and nothing done."""
    with _answering(unclear=Unavailable):
        yield


@contextmanager
def _answering(*, unclear: Callable[[str], RemoteError]) -> Iterator[None]:
    try:
        yield
    except stripe.RateLimitError as error:
        raise Throttled(_words(error), retry_after=_retry_after(error)) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        log.error("Stripe refuses our key: %s", _words(error))
        raise Unavailable(_words(error)) from error
    except stripe.IdempotencyError as error:  # before Rejected: an earlier request under this key did something
        raise unclear(_words(error)) from error
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise (NotFound if error.http_status == 404 else Rejected)(_words(error)) from error
    except stripe.APIConnectionError as error:
        _raise_connection(error, unclear)
    except stripe.StripeError as error:
        raise unclear(_words(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A 2xx that is not the object we asked for.
        raise unclear(f"Stripe's answer could not be read: {type(error).__name__} {error}"[:300]) from error


def _raise_connection(error: stripe.APIConnectionError, unclear: Callable[[str], RemoteError]) -> NoReturn:
    cause = error.__cause__
    words = f"{type(cause).__name__ if cause else 'APIConnectionError'}: no answer from Stripe"
    if isinstance(cause, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        raise Unavailable(words) from error
    # "Connection refused" and "no such host" arrive as a ConnectionError around this one: nothing was sent.
    if isinstance(cause, requests.exceptions.ConnectionError) and "NewConnectionError" in repr(cause):
        raise Unavailable(words) from error
    raise unclear(words) from error


def _words(error: stripe.StripeError) -> str:
    """For logs and staff: what happened, without the body."""
    text = (error.user_message or type(error).__name__).split("(HTTP response code")[0]
    return f"{error.http_status or ''} {text}".strip()[:300]


def _retry_after(error: stripe.StripeError) -> float:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    try:
        return min(max(float(headers.get("retry-after", "5")), 1.0), 300.0)
    except ValueError:
        return 5.0


def _verify(*, header: str, body: bytes, now: datetime) -> None:
    """https://docs.stripe.com/webhooks#verify-manually, and the tolerance both ways (the SDK's looks back only)."""
    secret = settings.STRIPE_WEBHOOK_SECRET
    signed_at = _SIGNED_AT.search(header)
    if not secret or signed_at is None:
        raise BadSignature("The header Stripe-Signature is missing or has no time.")
    expected = hmac.new(secret.encode(), signed_at[1].encode() + b"." + body, sha256).hexdigest().encode()
    given = [part.removeprefix("v1=") for part in header.split(",") if part.startswith("v1=")]
    # Several while the endpoint's secret is being rotated.
    if not any(hmac.compare_digest(expected, one.encode(errors="replace")) for one in given):
        raise BadSignature("No signature fits the body.")
    if abs(now.timestamp() - int(signed_at[1])) > settings.WEBHOOK_TOLERANCE_SECONDS:
        raise BadSignature("The signature is too old, or ahead of our clock.")


def _writable(payload: Any) -> Any:
    """Half a character, as of a name cut inside an emoji, is none to PostgreSQL: a question mark stands for it."""
    return json.loads(json.dumps(payload, ensure_ascii=False).encode(errors="replace"))


def _finite(text: str) -> float:
    """Return the number. Raises ValueError where it is larger than a float can be."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text:.40} is no number that can be kept")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
