"""The control API, `/__ctl/…`, for tests and people. Wrong input gets 400 and a sentence."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aiohttp import web

from dev.sandbox import faults, mail, numbers, payments
from dev.sandbox.catalogue import OFFERS
from dev.sandbox.sandbox import SANDBOX, Sandbox
from dev.sandbox.state import PurchaseKey, Session

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Call = Callable[[Sandbox, dict[str, Any]], Any]

_A_CENTURY = 100 * 366 * 86_400
REFUND_STATES = ("pending", "requires_action", "succeeded", "failed", "canceled")


class Unknown(ValueError):
    """What the call names does not exist; answered with 404."""


def routes() -> list[web.RouteDef]:
    return [
        web.get("/__ctl/health", health),
        web.get("/__ctl/ledger", ledger),
        web.get("/__ctl/requests", requests),
        web.get("/__ctl/webhooks", webhooks),
        web.post("/__ctl/reset", _call(reset)),
        web.post("/__ctl/sms", _call(sms)),
        web.post("/__ctl/faults", _call(fault)),
        web.post("/__ctl/clock", _call(clock)),
        web.post("/__ctl/pay", _call(pay)),
        web.post("/__ctl/settings", _call(settings)),
        web.post("/__ctl/keys", _call(purchase_key)),
    ]


def _call(do: Call) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            text = await request.text()
            data = json.loads(text) if text.strip() else {}
            if not isinstance(data, dict):
                raise ValueError("The body has to be a JSON object.")
            return web.json_response(do(request.app[SANDBOX], data))
        except json.JSONDecodeError:
            return web.json_response({"error": "The body is not JSON."}, status=400)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=404 if isinstance(error, Unknown) else 400)

    return handle


async def health(request: web.Request) -> web.StreamResponse:
    return web.json_response({"ok": True})


async def ledger(request: web.Request) -> web.StreamResponse:
    sandbox = request.app[SANDBOX]
    state = sandbox.state
    return web.json_response(
        {
            "numbers": [
                {
                    "id": number.id,
                    "number": number.number,
                    "service": number.service,
                    "state": number.state,
                    "cost": amount(number.cost),
                    "key": number.key,
                }
                for number in state.numbers
            ],
            "charges": [
                {
                    "reference": session.reference or session.id,
                    "amount": amount(session.amount),
                    "status": session.charge_status,
                }
                for session in state.sessions
                if session.charge_status
            ],
            "refunds": [
                {
                    "reference": state.session_by_id[made.session].reference or made.session,
                    "amount": amount(made.amount),
                    "status": made.status,
                }
                for made in state.refunds.values()
            ],
            "mail": len(mail.messages(sandbox)),
            "pushes": state.pushes,
        }
    )


async def requests(request: web.Request) -> web.StreamResponse:
    log = list(request.app[SANDBOX].log)
    return web.json_response({"requests": [f"{entry['method']} {entry['path']}" for entry in log], "log": log})


async def webhooks(request: web.Request) -> web.StreamResponse:
    """List the webhooks. `?settle=SECONDS` waits at most that long until none is being sent."""
    sandbox = request.app[SANDBOX]
    try:
        await sandbox.webhooks.settle(min(float(request.query.get("settle", 0)), 60))
    except ValueError:
        return web.json_response({"error": "settle has to be a number of seconds."}, status=400)
    return web.json_response({"webhooks": sandbox.webhooks.listing()})


def reset(sandbox: Sandbox, data: dict[str, Any]) -> Any:
    sandbox.reset()
    sandbox.state.forgotten_mail = [message.id for message in mail.messages(sandbox)]
    return {"ok": True}


def sms(sandbox: Sandbox, data: dict[str, Any]) -> Any:
    phone, text = data.get("number"), data.get("text")
    if not isinstance(phone, str) or not isinstance(text, str):
        raise ValueError("Give number and text, both as text.")
    digits = re.sub(r"\D", "", phone)
    number = sandbox.state.live.get(digits[1:] if len(digits) == 11 and digits[0] == "1" else digits)
    if number is None:
        raise Unknown(f"No live reservation holds the number {phone}.")
    numbers.plan_message(
        sandbox,
        number,
        text=text,
        delay=_seconds(data, "delay"),
        sent_at=_moment(data.get("sent_at")),
        twice=_flag(data, "duplicate"),
    )
    return {"ok": True, "id": number.id}


def fault(sandbox: Sandbox, data: dict[str, Any]) -> Any:
    """Add a fault; with `{"forget": true}` remove all, and close the hanging requests without an answer."""
    if data.get("forget") is True:
        sandbox.faults.clear()
        for hung in list(sandbox.hung):
            hung.set()
        return {"ok": True}
    sandbox.faults.append(faults.parse(data))
    return {"ok": True}


def clock(sandbox: Sandbox, data: dict[str, Any]) -> Any:
    if "advance" not in data:
        raise ValueError("Give advance, a number of seconds.")
    sandbox.clock.advance(_seconds(data, "advance"))
    sandbox.changed()
    return {"now": datetime.fromtimestamp(sandbox.clock.now(), UTC).isoformat()}


def pay(sandbox: Sandbox, data: dict[str, Any]) -> Any:
    """Finish a checkout. Outcomes: paid, failed, disputed; dispute_won and dispute_lost close a dispute.

    `amount` (text, "19.00") and `currency` let the gateway report something else than was asked for.
    """
    outcome = data.get("outcome", "paid")
    session = _checkout(sandbox, data.get("reference"))
    shape = {
        "duplicate": _flag(data, "duplicate"),
        "delay": _seconds(data, "delay"),
        "bad_signature": _flag(data, "bad_signature"),
    }
    if "amount" in data:
        if not isinstance(data["amount"], str) or not re.fullmatch(r"\d{1,6}\.\d\d", data["amount"]):
            raise ValueError('amount has to be text with two places, as in "19.00".')
        session.amount = int(data["amount"].replace(".", ""))
    if "currency" in data:
        session.currency = str(data["currency"]).lower()
    if outcome == "paid":
        payments.pay(sandbox, session, **shape)
    elif outcome == "failed":
        payments.fail(sandbox, session, **shape)
    elif outcome == "disputed":
        payments.dispute(sandbox, session, **shape)
    elif outcome in ("dispute_won", "dispute_lost"):
        payments.close_dispute(sandbox, session, won=outcome == "dispute_won", **shape)
    else:
        raise ValueError("outcome has to be one of: paid, failed, disputed, dispute_won, dispute_lost.")
    return {"ok": True, "id": session.id, "status": session.status, "payment_status": session.payment_status}


def settings(sandbox: Sandbox, data: dict[str, Any]) -> Any:
    """Turn any of: public_url, webhook_enabled, cancel_lock_seconds, token_seconds, latency_ms, seed,
    max_unfinished (whole number or null), refund_status, stock ({service: quantity}), balance (text, "12.50"),
    list_order (newest, oldest, mixed), page_length, keys_in_lists, state_words ({state: word}), capability_words
    ({service: word}), unlisted ([service]), costs ({service: text, "0.0375"})."""
    checked: dict[str, Any] = {}
    for name in data:
        check = _SETTINGS.get(name)
        if check is None:
            raise ValueError(f"There is no setting {name}. Choose from: {', '.join(_SETTINGS)}.")
        checked[name] = check(data, name)
    if "balance" in checked:
        sandbox.state.balance = checked.pop("balance")
    if "seed" in checked:
        sandbox.state.fate = 0
    for name, value in checked.items():
        setattr(sandbox.settings, name, value)
    sandbox.changed()
    return {**asdict(sandbox.settings), "balance": amount(sandbox.state.balance)}


def purchase_key(sandbox: Sandbox, data: dict[str, Any]) -> Any:
    """Plant a TextVerified Idempotency-Key as `running` or `expired`, or take one out with `unused`."""
    key, state = data.get("key"), data.get("state")
    if not isinstance(key, str) or state not in ("running", "expired", "unused"):
        raise ValueError("Give key, and state: running, expired or unused.")
    sandbox.state.purchase_keys.pop(key, None)
    if state != "unused":
        sandbox.state.purchase_keys[key] = PurchaseKey(state)
    sandbox.changed()
    return {"ok": True}


def amount(cents: float) -> str:
    """Dollars with two places, or as many as what is finer than a cent needs."""
    dollars = Decimal(str(round(cents, 2))) / 100
    return f"{dollars:.2f}" if dollars == round(dollars, 2) else f"{dollars.normalize():f}"


def _checkout(sandbox: Sandbox, reference: Any) -> Session:
    """Return the newest checkout of that reference, or the one with that session id."""
    if not isinstance(reference, str) or not reference:
        raise ValueError("Give reference: the client_reference_id or the id of a checkout session.")
    session = sandbox.state.session_by_reference.get(reference) or sandbox.state.session_by_id.get(reference)
    if session is None:
        raise Unknown(f"There is no checkout with the reference {reference}.")
    return session


def _seconds(data: dict[str, Any], name: str) -> float:
    value = data.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _A_CENTURY:
        raise ValueError(f"{name} has to be a number of seconds, not negative, and at most a hundred years.")
    return float(value)


def _flag(data: dict[str, Any], name: str) -> bool:
    value = data.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} has to be true or false.")
    return value


def _whole(data: dict[str, Any], name: str) -> int:
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} has to be a whole number.")
    return value


def _whole_or_none(data: dict[str, Any], name: str) -> int | None:
    return None if data[name] is None else _whole(data, name)


def _url(data: dict[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str) or not re.match(r"https?://[^/]", value):
        raise ValueError(f"{name} has to be an http address.")
    return value.rstrip("/")


def _money(data: dict[str, Any], name: str) -> int:
    value = data[name]
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,9}\.\d\d", value):
        raise ValueError(f'{name} has to be text with two places, as in "12.50".')
    return int(value.replace(".", ""))


def _stock(data: dict[str, Any], name: str) -> dict[str, int]:
    value = data[name]
    if not isinstance(value, dict):
        raise ValueError("stock has to be an object of service and quantity.")
    for service in value:
        if service not in OFFERS or _whole(value, service) < 0:
            raise ValueError(f"stock: {service} is not a service, or its quantity is negative.")
    return value


def _words(data: dict[str, Any], name: str) -> dict[str, str | None]:
    value = data[name]
    if not isinstance(value, dict) or not all(word is None or isinstance(word, str) for word in value.values()):
        raise ValueError(f"{name} has to be an object of words.")
    return value


def _list_order(data: dict[str, Any], name: str) -> str:
    if data[name] not in ("newest", "oldest", "mixed"):
        raise ValueError("list_order has to be one of: newest, oldest, mixed.")
    return str(data[name])


def _page_length(data: dict[str, Any], name: str) -> int:
    if not 1 <= _whole(data, name) <= 1000:
        raise ValueError("page_length has to be from 1 to 1000.")
    return _whole(data, name)


def _services(data: dict[str, Any], name: str) -> list[str]:
    value = data[name]
    if not isinstance(value, list) or not all(service in OFFERS for service in value):
        raise ValueError(f"{name} has to be a list of services.")
    return value


def _costs(data: dict[str, Any], name: str) -> dict[str, float]:
    """Return the costs in cents, with fractions of a cent."""
    value = data[name]
    if not isinstance(value, dict) or not all(service in OFFERS for service in value):
        raise ValueError(f"{name} has to be an object of service and cost.")
    if not all(isinstance(cost, str) and re.fullmatch(r"\d{1,6}\.\d{2,4}", cost) for cost in value.values()):
        raise ValueError(f'{name}: a cost has to be text with two to four places, as in "0.0375".')
    return {service: float(Decimal(cost) * 100) for service, cost in value.items()}


def _refund_status(data: dict[str, Any], name: str) -> str:
    if data[name] not in REFUND_STATES:
        raise ValueError(f"refund_status has to be one of: {', '.join(REFUND_STATES)}.")
    return str(data[name])


def _moment(value: Any) -> float | None:
    """ISO 8601, or seconds since 1970."""
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).timestamp()
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        raise ValueError("sent_at has to be a time, as in 2026-01-31T12:00:00+00:00.") from None


_SETTINGS: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "public_url": _url,
    "webhook_enabled": _flag,
    "cancel_lock_seconds": _seconds,
    "token_seconds": _seconds,
    "latency_ms": _seconds,
    "seed": _whole,
    "max_unfinished": _whole_or_none,
    "refund_status": _refund_status,
    "stock": _stock,
    "balance": _money,
    "list_order": _list_order,
    "page_length": _page_length,
    "keys_in_lists": _flag,
    "state_words": _words,
    "capability_words": _words,
    "unlisted": _services,
    "costs": _costs,
}
