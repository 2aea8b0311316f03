"""Stripe's API over HTTP, as far as the official SDK needs it for Checkout, refunds and events. `payments.py` does."""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from dev.sandbox import payments
from dev.sandbox.payments import StripeError
from dev.sandbox.sandbox import SANDBOX, Sandbox, new_id
from dev.sandbox.state import Refund, Session

ROOT = "/stripe/v1"
EXPIRES_WITHIN = (30 * 60, 24 * 3600)  # seconds from now, as Stripe allows
CLOCKS_DIFFER = 60
SMALLEST, LARGEST = 50, 99_999_999

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[web.Request, Sandbox, dict[str, Any]], dict[str, Any]]
T = TypeVar("T")


def routes() -> list[web.RouteDef]:
    return [
        web.post(f"{ROOT}/checkout/sessions", _writing(create_session)),
        web.get(f"{ROOT}/checkout/sessions", _reading(list_sessions)),
        web.get(f"{ROOT}/checkout/sessions/{{id}}", _reading(get_session)),
        web.post(f"{ROOT}/checkout/sessions/{{id}}/expire", _writing(expire_session)),
        web.get(f"{ROOT}/payment_intents/{{id}}", _reading(get_intent)),
        web.get(f"{ROOT}/charges/{{id}}", _reading(get_charge)),
        web.post(f"{ROOT}/refunds", _writing(create_refund)),
        web.get(f"{ROOT}/refunds", _reading(list_refunds)),
        web.get(f"{ROOT}/refunds/{{id}}", _reading(get_refund)),
        web.get(f"{ROOT}/disputes/{{id}}", _reading(get_dispute)),
        web.get(f"{ROOT}/events", _reading(list_events)),
        web.get(f"{ROOT}/events/{{id}}", _reading(get_event)),
        web.get(f"{ROOT}/balance", _reading(get_balance)),
        web.route("*", f"{ROOT}/{{tail:.*}}", _reading(unknown)),
    ]


def create_session(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    if data.get("mode") != "payment":
        raise StripeError("The sandbox knows mode=payment only.", param="mode")
    amount, currency, title = _line_items(data)
    now = time.time()
    expires_at = _integer(data, "expires_at", default=int(now) + EXPIRES_WITHIN[1])
    lifetime = expires_at - now
    if not EXPIRES_WITHIN[0] - CLOCKS_DIFFER <= lifetime <= EXPIRES_WITHIN[1] + CLOCKS_DIFFER:
        raise StripeError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    session = payments.open_session(
        sandbox,
        amount=amount,
        currency=currency,
        title=title,
        reference=_text(data, "client_reference_id", longest=200),
        success_url=_url(data, "success_url") or _missing("success_url"),
        cancel_url=_url(data, "cancel_url"),
        metadata=_metadata(data),
        customer_email=_text(data, "customer_email", longest=800),
        lifetime=lifetime,
        expires_at=expires_at,
        base_url=sandbox.config.base_url.rstrip("/") or f"{request.scheme}://{request.host}",
    )
    return payments.session_body(sandbox, session)


def get_session(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    return payments.session_body(sandbox, _session(request, sandbox))


def list_sessions(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    found: Sequence[Session] = sandbox.state.sessions
    if intent := data.get("payment_intent"):
        one = sandbox.state.session_by_payment.get(intent)
        found = [one] if one else []
    if status := data.get("status"):
        found = [session for session in found if session.status == status]
    return _page(request, data, found, lambda session: payments.session_body(sandbox, session))


def expire_session(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    session = _session(request, sandbox)
    payments.expire(sandbox, session)
    return payments.session_body(sandbox, session)


def get_intent(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    session = sandbox.state.session_by_payment.get(request.match_info["id"])
    if session is None or session.payment_intent != request.match_info["id"]:
        raise _no_such("payment_intent", request.match_info["id"])
    return payments.intent_body(sandbox, session)


def get_charge(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    session = sandbox.state.session_by_payment.get(request.match_info["id"])
    if session is None or session.charge != request.match_info["id"]:
        raise _no_such("charge", request.match_info["id"])
    return payments.charge_body(sandbox, session)


def get_dispute(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    session = sandbox.state.session_by_payment.get(request.match_info["id"])
    if session is None or session.dispute != request.match_info["id"]:
        raise _no_such("dispute", request.match_info["id"])
    return payments.dispute_body(sandbox, session)


def create_refund(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    of = data.get("payment_intent") or data.get("charge")
    if not of:
        raise StripeError("One of the following params should be provided for this request: payment_intent or charge.")
    session = sandbox.state.session_by_payment.get(of)
    if session is None:
        raise _no_such("payment_intent" if data.get("payment_intent") else "charge", of)
    made = payments.refund(
        sandbox,
        session,
        amount=_integer(data, "amount") if "amount" in data else None,
        reason=_text(data, "reason", longest=100),
        metadata=_metadata(data),
    )
    return payments.refund_body(sandbox, made)


def list_refunds(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    found: Sequence[Refund] = list(sandbox.state.refunds.values())
    if of := data.get("payment_intent") or data.get("charge"):
        session = sandbox.state.session_by_payment.get(of)
        found = [made for made in found if session and made.session == session.id]
    return _page(request, data, found, lambda made: payments.refund_body(sandbox, made))


def get_refund(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    made = sandbox.state.refunds.get(request.match_info["id"])
    if made is None:
        raise _no_such("refund", request.match_info["id"])
    return payments.refund_body(sandbox, made)


def list_events(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    kinds = set(data["types"].values()) if isinstance(data.get("types"), dict) else None
    if data.get("type"):
        kinds = {data["type"]}
    found = [event for event in sandbox.state.events if kinds is None or event["type"] in kinds]
    return _page(request, data, found, lambda event: event)


def get_event(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    for event in sandbox.state.events:
        if event["id"] == request.match_info["id"]:
            return event
    raise _no_such("event", request.match_info["id"])


def get_balance(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    total: dict[str, int] = {}
    for session in sandbox.state.sessions:
        if session.payment_status == "paid":
            total[session.currency] = total.get(session.currency, 0) + session.amount - session.refunded
    funds = [{"amount": amount, "currency": currency} for currency, amount in total.items()]
    return {"object": "balance", "available": funds, "pending": [], "livemode": False}


def unknown(request: web.Request, sandbox: Sandbox, data: dict[str, Any]) -> dict[str, Any]:
    path = request.path.removeprefix("/stripe")
    raise StripeError(f"Unrecognized request URL ({request.method}: {path}).", status=404)


def _reading(answer: Answer) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        sandbox = request.app[SANDBOX]
        try:
            _authorize(request, sandbox)
            return _respond(answer(request, sandbox, nested(request.query_string)))
        except StripeError as refusal:
            return _respond(refusal.body, refusal.status)

    return handle


def _writing(answer: Answer) -> Handler:
    """Handle a POST: the same Idempotency-Key with the same parameters gets the first answer again."""

    async def handle(request: web.Request) -> web.StreamResponse:
        sandbox = request.app[SANDBOX]
        try:
            _authorize(request, sandbox)
            form = (await request.read()).decode()
        except StripeError as refusal:
            return _respond(refusal.body, refusal.status)
        key = request.headers.get("Idempotency-Key")
        fingerprint = hashlib.sha256(f"{request.path}\n{form}".encode()).hexdigest()
        known = sandbox.state.stripe_keys.get(key) if key else None
        if known is not None:
            return _replay(known, fingerprint)
        if key:
            sandbox.state.stripe_keys[key] = {"fingerprint": fingerprint, "status": None, "body": None}
        status = 200
        try:
            body = answer(request, sandbox, nested(form))
        except StripeError as refusal:
            status, body = refusal.status, refusal.body
        if key:
            sandbox.state.stripe_keys[key].update(status=status, body=body)
            sandbox.changed()
        return _respond(body, status)

    return handle


def _replay(known: dict[str, Any], fingerprint: str) -> web.Response:
    if known["fingerprint"] != fingerprint:
        refusal = StripeError(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            "Try using a key other than the one you used before if you meant to execute a different request.",
            kind="idempotency_error",
        )
        return _respond(refusal.body, refusal.status)
    return _respond(known["body"], known["status"], {"Idempotent-Replayed": "true"})


def _respond(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(body, status=status, headers={"Request-Id": new_id("req_", 14), **(headers or {})})


def _authorize(request: web.Request, sandbox: Sandbox) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key == sandbox.config.stripe_secret_key:
        return
    raise StripeError("Invalid API Key provided." if key else "You did not provide an API key.", status=401)


def nested(form: str) -> dict[str, Any]:
    """`a[b][0][c]=d` as `{"a": {"b": {"0": {"c": "d"}}}}`."""
    data: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        *path, last = re.findall(r"[^\[\]]+", name) or [""]
        place = data
        for step in path:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise StripeError(f"Invalid parameter: {name}.", param=name)
        place[last] = value
    return data


def _line_items(data: dict[str, Any]) -> tuple[int, str, str]:
    """Total in cents, currency and title of the first. Only prices given in place (`price_data`) are known."""
    items = data.get("line_items")
    if not isinstance(items, dict) or not items:
        raise _missing_error("line_items")
    total, currencies, title = 0, set(), ""
    for index, item in items.items():
        where = f"line_items[{index}]"
        price = item.get("price_data") if isinstance(item, dict) else None
        if not isinstance(price, dict):
            raise _missing_error(f"{where}[price_data]")
        product = price.get("product_data")
        if not isinstance(product, dict) or not product.get("name"):
            raise _missing_error(f"{where}[price_data][product_data][name]")
        if not price.get("currency"):
            raise _missing_error(f"{where}[price_data][currency]")
        total += _integer(price, "unit_amount") * _integer(item, "quantity")
        currencies.add(price["currency"].lower())
        title = title or product["name"]
    if len(currencies) != 1:
        raise StripeError("All line items must have the same currency.", param="line_items")
    if not SMALLEST <= total <= LARGEST:
        raise StripeError("The Checkout Session's total amount is too small or too large.", code="amount_too_small")
    return total, currencies.pop(), title


def _integer(data: dict[str, Any], name: str, default: int | None = None) -> int:
    value = data.get(name, default)
    if value is None:
        raise _missing_error(name)
    if not re.fullmatch(r"\d{1,15}", str(value)):
        raise StripeError(f"Invalid integer: {value}", param=name, code="parameter_invalid_integer")
    return int(value)


def _text(data: dict[str, Any], name: str, *, longest: int) -> str | None:
    value = data.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > longest):
        raise StripeError(f"Invalid string: {name} has at most {longest} characters.", param=name)
    return value


def _url(data: dict[str, Any], name: str) -> str | None:
    value = _text(data, name, longest=5000)
    if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
        raise StripeError("Not a valid URL", param=name, code="url_invalid")
    return value


def _metadata(data: dict[str, Any]) -> dict[str, str]:
    metadata = data.get("metadata") or {}
    if not isinstance(metadata, dict) or len(metadata) > 50 or not all(isinstance(v, str) for v in metadata.values()):
        raise StripeError("Metadata is a set of at most 50 texts.", param="metadata")
    return metadata


def _missing(name: str) -> str:
    raise _missing_error(name)


def _missing_error(name: str) -> StripeError:
    return StripeError(f"Missing required param: {name}.", param=name, code="parameter_missing")


def _no_such(kind: str, given: str) -> StripeError:
    return StripeError(f"No such {kind}: '{given}'", status=404, code="resource_missing", param="id")


def _session(request: web.Request, sandbox: Sandbox) -> Session:
    session = sandbox.state.session_by_id.get(request.match_info["id"])
    if session is None:
        raise _no_such("checkout.session", request.match_info["id"])
    return session


def _page(
    request: web.Request, data: dict[str, Any], rows: Sequence[T], show: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """Newest first, after `starting_after`, at most `limit`."""
    limit = _integer(data, "limit", default=10)
    if not 1 <= limit <= 100:
        raise StripeError("limit is between 1 and 100.", param="limit")
    newest = [show(row) for row in reversed(rows)]
    if after := data.get("starting_after"):
        places = [place for place, row in enumerate(newest) if row["id"] == after]
        if not places:
            raise _no_such("object", after)
        newest = newest[places[0] + 1 :]
    return {
        "object": "list",
        "url": request.path.removeprefix("/stripe"),
        "has_more": len(newest) > limit,
        "data": newest[:limit],
    }
