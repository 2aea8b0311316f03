"""Stripe Checkout through the official SDK. https://docs.stripe.com/api/checkout/sessions"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

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
from config.lib.remote.retry_after import retry_after
from payments.gateways.base import (
    CheckoutRequest,
    CheckoutSession,
    EventKind,
    GatewayEventData,
    GatewayState,
    GatewayStatus,
    asking,
    read_json,
)

log = logging.getLogger(__name__)

# A session's (status, payment_status), as our status. Of a complete and unpaid one the payment intent decides (below).
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

# Stripe takes 30 minutes to 24 hours from when it gets the request; a minute is left for the way there.
SHORTEST, LONGEST = timedelta(minutes=31), timedelta(hours=23, minutes=59)
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
        with asking(self.name, "checkout"), _mapped_errors(unclear=OutcomeUnknown):
            session = _client().v1.checkout.sessions.create(
                params,  # type: ignore[arg-type]
                {"idempotency_key": request.reference},
            )
            return CheckoutSession(
                id=session.id, url=session.url or "", expires_at=datetime.fromtimestamp(session.expires_at, tz=UTC)
            )

    def fetch(self, gateway_id: str) -> GatewayState:
        with asking(self.name, "payment"), _mapped_errors(unclear=Unavailable):  # nothing was learnt, and nothing done
            return _state(_client().v1.checkout.sessions.retrieve(gateway_id))

    def expire(self, gateway_id: str) -> GatewayState:
        with asking(self.name, "payment"), _mapped_errors(unclear=OutcomeUnknown):
            return _state(_client().v1.checkout.sessions.expire(gateway_id))

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes, now: datetime) -> GatewayEventData:
        # https://docs.stripe.com/webhooks#verify-manually, but with a tolerance both ways: the SDK's looks back only.
        header, secret = headers.get("Stripe-Signature", ""), settings.STRIPE_WEBHOOK_SECRET
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
        return self.read_event(read_json(body))

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
    """Return the process's client: its HTTP client keeps a session for each thread."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": base},
        max_network_retries=0,  # the services say what may be asked again
        http_client=stripe.RequestsClient(timeout=timeout),
    )


def _state(session: stripe.checkout.Session) -> GatewayState:
    status: GatewayStatus
    reason = ""
    if (session.status, session.payment_status) != ("complete", "unpaid"):
        status = SESSIONS[session.status or "", session.payment_status]
    elif session.payment_intent is None:
        status = "processing"
    else:  # the money is still on its way, or never comes
        intent = session.payment_intent
        if isinstance(intent, str):
            intent = _client().v1.payment_intents.retrieve(intent)
        status = INTENTS[intent.status]
        reason = getattr(getattr(intent, "last_payment_error", None), "message", None) or ""
    return GatewayState(
        status=status,
        amount=int(session.amount_total or 0),
        currency=(session.currency or "").upper(),
        gateway_id=session.id,
        failure_reason=reason,
    )


@contextmanager
def _mapped_errors(*, unclear: Callable[[str], RemoteError]) -> Iterator[None]:
    """Raise Stripe's errors as ours. `unclear` is the one for a request that has no readable answer."""
    try:
        yield
    except stripe.RateLimitError as error:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        raise Throttled(_message(error), retry_after=retry_after(headers.get("retry-after", ""))) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        log.error("Stripe refuses our key: %s", _message(error))
        raise Unavailable(_message(error)) from error
    except stripe.IdempotencyError as error:  # before Rejected: an earlier request under this key did something
        raise unclear(_message(error)) from error
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise (NotFound if error.http_status == 404 else Rejected)(_message(error)) from error
    except stripe.APIConnectionError as error:
        cause = error.__cause__
        message = f"{type(cause).__name__ if cause else 'APIConnectionError'}: no answer from Stripe"
        # "Connection refused" and "no such host" arrive as a ConnectionError around a NewConnectionError.
        unsent = isinstance(cause, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError) or (
            isinstance(cause, requests.exceptions.ConnectionError) and "NewConnectionError" in repr(cause)
        )
        raise (Unavailable if unsent else unclear)(message) from error
    except stripe.StripeError as error:
        raise unclear(_message(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A 2xx whose body is not the object that was requested.
        raise unclear(f"Stripe's answer could not be read: {type(error).__name__} {error}"[:300]) from error


def _message(error: stripe.StripeError) -> str:
    """Return what happened, without the body: for logs and staff."""
    text = (error.user_message or type(error).__name__).split("(HTTP response code")[0]
    return f"{error.http_status or ''} {text}".strip()[:300]
