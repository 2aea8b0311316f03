"""TextVerified's API v2 over HTTP: source ../shared/reference, and the vendor's later additions (Idempotency-Key,
inventory, maxPrice, mock services). It translates; `numbers.py` does."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from aiohttp import web

from dev.sandbox import numbers
from dev.sandbox.catalogue import OFFERS, Offer
from dev.sandbox.clock import iso
from dev.sandbox.numbers import Refused
from dev.sandbox.sandbox import SANDBOX, Sandbox, new_id
from dev.sandbox.state import Number, PurchaseKey

ROOT = "/textverified/api/pub/v2"
MOCK = web.RequestKey("mock", bool)
MOCK_HEADER = "X-Phoneblur-Mock"
CAPABILITIES = ("sms", "voice", "smsAndVoiceCombo")
NUMBER_TYPES = ("mobile", "voip", "landline")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


def routes() -> list[web.RouteDef]:
    def open_to_bearers(handler: Callable[[web.Request, Sandbox], Awaitable[web.StreamResponse]]) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            sandbox = request.app[SANDBOX]
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or sandbox.tokens.get(token, 0) <= sandbox.clock.now():
                return web.Response(status=401)
            try:
                response = await handler(request, sandbox)
            except Refused as refusal:
                response = _refusal(refusal)
            if request.get(MOCK, False):
                response.headers[MOCK_HEADER] = "true"
            return response

        return guarded

    return [
        web.post(f"{ROOT}/auth", auth),
        web.get(f"{ROOT}/account/me", open_to_bearers(account)),
        web.get(f"{ROOT}/services", open_to_bearers(services)),
        web.post(f"{ROOT}/pricing/verifications", open_to_bearers(pricing)),
        web.post(f"{ROOT}/inventory/verifications", open_to_bearers(inventory)),
        web.post(f"{ROOT}/verifications", open_to_bearers(create)),
        web.get(f"{ROOT}/verifications", open_to_bearers(listing)),
        web.get(f"{ROOT}/verifications/{{id}}", open_to_bearers(details)),
        web.post(f"{ROOT}/verifications/{{id}}/cancel", open_to_bearers(cancel)),
        web.post(f"{ROOT}/verifications/{{id}}/report", open_to_bearers(report)),
        web.post(f"{ROOT}/verifications/{{id}}/reuse", open_to_bearers(not_offered)),
        web.post(f"{ROOT}/verifications/{{id}}/reactivate", open_to_bearers(not_offered)),
        web.get(f"{ROOT}/sms", open_to_bearers(messages)),
        web.get(f"{ROOT}/sales", open_to_bearers(sales)),
        web.get(f"{ROOT}/sales/{{id}}", open_to_bearers(sale)),
    ]


async def auth(request: web.Request) -> web.StreamResponse:
    sandbox = request.app[SANDBOX]
    given = (request.headers.get("X-API-KEY"), request.headers.get("X-API-USERNAME"))
    if given != (sandbox.config.textverified_api_key, sandbox.config.textverified_username):
        return web.Response(status=401)
    token, life = new_id("eyJh", 40), sandbox.settings.token_seconds
    sandbox.tokens[token] = sandbox.clock.now() + life
    return web.json_response({"token": token, "expiresIn": life, "expiresAt": iso(sandbox.tokens[token])})


async def account(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    return web.json_response(
        {"username": sandbox.config.textverified_username, "currentBalance": _dollars(sandbox.state.balance)}
    )


async def services(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    number_type = request.query.get("numberType", "mobile")
    kind = request.query.get("reservationType", "verification")
    if number_type not in NUMBER_TYPES or kind not in ("renewable", "nonrenewable", "verification"):
        raise Refused("ValidationError", "numberType or reservationType is not one of the known values.")
    offers = OFFERS.values() if (number_type, kind) == ("mobile", "verification") else ()
    capability = sandbox.settings.capability_words.get
    return web.json_response(
        [
            {"serviceName": offer.name, "capability": capability(offer.name, "sms"), "description": offer.title}
            for offer in offers
            if offer.name not in sandbox.settings.unlisted
        ]
    )


async def pricing(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    fields = {"serviceName": str, "areaCode": bool, "carrier": bool, "numberType": str, "capability": str}
    data = await _body(request, required=fields)
    offer = _offer(request, data)
    price = numbers.price(sandbox, offer, area_code=data["areaCode"], carrier=data["carrier"])
    return web.json_response({"serviceName": offer.name, "price": _dollars(price)})


async def inventory(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    data = await _body(request, required={"serviceName": str, "numberType": str, "capability": str})
    offer = _offer(request, data)
    return web.json_response({"availableQuantity": numbers.quantity(sandbox, offer)})


async def create(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    """Buy. The same key again: running 409, completed the same 201, expired 400; a refusal leaves the key unused."""
    data = await _body(
        request,
        required={"serviceName": str, "capability": str},
        optional={
            "areaCodeSelectOption": list,
            "carrierSelectOption": list,
            "serviceNotListedName": str,
            "maxPrice": (int, float),
        },
    )
    offer = _offer(request, data)
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return _created(request, await _sell(sandbox, offer, data, None))
    if not 1 <= len(key) <= 256:
        raise Refused("ValidationError", "Idempotency-Key has to have 1 to 256 characters.")
    keys = sandbox.state.purchase_keys
    if known := keys.get(key):
        return _replay(request, sandbox, known)
    keys[key] = PurchaseKey("running")
    try:
        number = await _sell(sandbox, offer, data, key)
    except BaseException:
        keys.pop(key, None)
        raise
    keys[key] = PurchaseKey("completed", number.id)
    return _created(request, number)


async def _sell(sandbox: Sandbox, offer: Offer, data: dict[str, Any], key: str | None) -> Number:
    if sandbox.settings.latency_ms:
        await sandbox.pause(sandbox.settings.latency_ms / 1000)
    try:
        max_price = None if data.get("maxPrice") is None else float(Decimal(str(data["maxPrice"])) * 100)
        return numbers.sell(
            sandbox,
            offer=offer,
            key=key,
            areas=data.get("areaCodeSelectOption") or [],
            carriers=data.get("carrierSelectOption") or [],
            max_price=max_price,
        )
    except (InvalidOperation, OverflowError, ValueError):
        raise Refused("ValidationError", "maxPrice is not an amount.") from None


def _replay(request: web.Request, sandbox: Sandbox, known: PurchaseKey) -> web.Response:
    if known.state == "completed" and known.number is not None:
        return _created(request, sandbox.state.by_id[known.number])
    if known.state == "running":
        conflict = Refused("IdempotencyConflict", "A request with this Idempotency-Key is still running.")
        return _refusal(conflict, status=409)
    raise Refused("IdempotencyKeyExpired", "This Idempotency-Key expired without completing. Use a new one.")


def _created(request: web.Request, number: Number) -> web.Response:
    link = _link(request, "GET", f"verifications/{number.id}")
    return web.json_response(link, status=201, headers={"Location": link["href"]})


async def listing(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    rows: Sequence[Number] = sandbox.state.numbers
    if sandbox.settings.list_order == "oldest":
        rows = rows[::-1]
    elif sandbox.settings.list_order == "mixed":
        rows = sorted(rows, key=lambda number: hashlib.sha256(number.id.encode()).digest())
    return _page(request, rows, lambda number: _compact(request, sandbox, number))


async def details(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    number = _number(request, sandbox)
    path = f"verifications/{number.id}"
    return web.json_response(
        {
            "id": number.id,
            "number": number.number,
            "serviceName": number.service,
            "state": _state(sandbox, number),
            "totalCost": _dollars(number.cost),
            "createdAt": iso(number.created_at),
            "endsAt": iso(number.ends_at),
            "sms": _link(request, "GET", f"sms?reservationId={number.id}"),
            "calls": _link(request, "GET", f"calls?reservationId={number.id}"),
            "sale": _link(request, "GET", f"sales/{number.sale}"),
            "cancel": {
                "canCancel": numbers.can_cancel(sandbox, number),
                "link": _link(request, "POST", f"{path}/cancel"),
            },
            "report": {
                "canReport": numbers.can_report(sandbox, number),
                "link": _link(request, "POST", f"{path}/report"),
            },
            "reuse": {"link": _link(request, "POST", f"{path}/reuse"), "reusableUntil": None},
            "reactivate": {"canReactivate": False, "link": _link(request, "POST", f"{path}/reactivate")},
        }
    )


async def cancel(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    number = _number(request, sandbox)
    numbers.cancel(sandbox, number)
    return web.Response()


async def report(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    number = _number(request, sandbox)
    numbers.report(sandbox, number)
    return web.Response()


async def not_offered(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    _number(request, sandbox)
    raise Refused("Unavailable", "This verification can't be used again.")


async def messages(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    """List messages by reservation or by number, newest first."""
    reservation, to = request.query.get("reservationId"), request.query.get("to")
    if reservation is not None:
        number = sandbox.state.by_id.get(reservation)
        found = number.messages if number else []
    elif to is not None:
        found = [message for number in sandbox.state.by_phone.get(to, []) for message in number.messages]
    else:
        found = sandbox.state.messages
    return _page(request, found, lambda message: message)


async def sales(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    def compact(number: Number) -> dict[str, Any]:
        return {
            "id": number.sale,
            "link": _link(request, "GET", f"sales/{number.sale}"),
            "state": "succeeded",
            "totalCost": _dollars(number.cost),
            "createdAt": iso(number.created_at),
            "updatedAt": iso(number.updated_at),
        }

    return _page(request, sandbox.state.numbers, compact)


async def sale(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    number = sandbox.state.by_sale.get(request.match_info["id"])
    if number is None:
        raise web.HTTPNotFound
    reservation = {
        "id": number.id,
        "link": _link(request, "GET", f"verifications/{number.id}"),
        "reservationType": "verification",
        "serviceName": number.service,
    }
    return web.json_response(
        {
            "id": number.sale,
            "state": "succeeded",
            "total": _dollars(number.cost),
            "createdAt": iso(number.created_at),
            "updatedAt": iso(number.updated_at),
            "reservations": [reservation],
            "backOrderReservations": [],
        }
    )


async def _body(
    request: web.Request, *, required: dict[str, Any], optional: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the JSON body, checked as the vendor's document says: fields, types, values, and nothing else."""
    optional = optional or {}
    try:
        data = json.loads(await request.read())
    except ValueError:
        raise Refused("ValidationError", "The body is not JSON.") from None
    if not isinstance(data, dict):
        raise Refused("ValidationError", "The body has to be a JSON object.")
    for name, kind in required.items():
        if not _is(data.get(name), kind):
            raise Refused("ValidationError", f"{name} is missing or of the wrong type.")
    for name, value in data.items():
        if name not in required and (name not in optional or not (value is None or _is(value, optional[name]))):
            raise Refused("ValidationError", f"{name} is unknown or of the wrong type.")
    for name in ("areaCodeSelectOption", "carrierSelectOption"):
        if not all(isinstance(item, str) for item in data.get(name) or []):
            raise Refused("ValidationError", f"{name} has to be a list of texts.")
    if data["capability"] not in CAPABILITIES or data.get("numberType", "mobile") not in NUMBER_TYPES:
        raise Refused("ValidationError", "capability or numberType is not one of the known values.")
    return data


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _offer(request: web.Request, data: dict[str, Any]) -> Offer:
    offer = OFFERS.get(data["serviceName"])
    if offer is None:
        raise Refused("ServiceNotFound", "There is no service of this name.")
    request[MOCK] = offer.mock is not None
    if data["capability"] != "sms" or data.get("numberType", "mobile") != "mobile":
        raise Refused("Unavailable", "This service is sold for sms on mobile numbers only.")
    return offer


def _number(request: web.Request, sandbox: Sandbox) -> Number:
    number = sandbox.state.by_id.get(request.match_info["id"])
    if number is None:
        raise web.HTTPNotFound
    request[MOCK] = OFFERS[number.service].mock is not None
    return number


def _state(sandbox: Sandbox, number: Number) -> str | None:
    return sandbox.settings.state_words.get(number.state, number.state)


def _compact(request: web.Request, sandbox: Sandbox, number: Number) -> dict[str, Any]:
    row = {
        "id": number.id,
        "number": number.number,
        "serviceName": number.service,
        "state": _state(sandbox, number),
        "totalCost": _dollars(number.cost),
        "createdAt": iso(number.created_at),
        "link": _link(request, "GET", f"verifications/{number.id}"),
        "sms": _link(request, "GET", f"sms?reservationId={number.id}"),
        "calls": _link(request, "GET", f"calls?reservationId={number.id}"),
    }
    return {**row, "idempotencyKey": number.key} if sandbox.settings.keys_in_lists else row


def _page(request: web.Request, rows: Sequence[T], show: Callable[[T], dict[str, Any]]) -> web.Response:
    """Return a page, the last of `rows` first. `before` is a row, so that pages stay put while rows are added."""
    length = request.app[SANDBOX].settings.page_length
    try:
        end = min(int(request.query.get("before", len(rows))), len(rows))
    except ValueError:
        raise Refused("ValidationError", "before is not a place in the list.") from None
    start = max(end - length, 0)

    def link(before: int) -> dict[str, str]:
        query = {**request.query, "before": str(before)}
        return {"method": "GET", "href": str(request.url.origin().with_path(request.path).with_query(query))}

    nowhere = {"method": None, "href": None}
    data = [show(row) for row in reversed(rows[start:end])]
    return web.json_response(
        {
            "data": data,
            "count": len(data),
            "hasNext": start > 0,
            "hasPrevious": end < len(rows),
            "links": {
                "current": link(end),
                "next": link(start) if start > 0 else nowhere,
                "previous": link(min(end + length, len(rows))) if end < len(rows) else nowhere,
            },
        }
    )


def _link(request: web.Request, method: str, path: str) -> dict[str, str]:
    return {"method": method, "href": f"{request.scheme}://{request.host}{ROOT}/{path}"}


def _dollars(cents: float) -> float:
    """Return an amount as the JSON number that the vendor writes; four places are exact in a double's shortest form."""
    return round(cents / 100, 4)


def _refusal(refusal: Refused, status: int = 400) -> web.Response:
    return web.json_response({"errorCode": refusal.code, "errorDescription": refusal.description}, status=status)
