"""Reservations of numbers: sale, messages, cancellation, report, end. No HTTP here; `textverified.py` has that."""

import hashlib
import re
from functools import partial
from typing import Any

from dev.sandbox import webhooks
from dev.sandbox.catalogue import Offer
from dev.sandbox.clock import iso
from dev.sandbox.sandbox import Sandbox, new_id
from dev.sandbox.state import CANCELED, COMPLETED, PENDING, REPORTED, TIMED_OUT, Number

MOCK_CODE = "123456"
REPORTABLE_AFTER_END = 600  # seconds
_CODE = re.compile(r"(?<![\w-])(?:[A-Z]-)?(\d{3}[- ]\d{3}|\d{4,8})(?![\w-])")


class Refused(Exception):
    """The vendor refuses: `code` and `description` go into its error body."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def sell(
    sandbox: Sandbox, *, offer: Offer, key: str | None, areas: list[str], carriers: list[str], max_price: float | None
) -> Number:
    state, now = sandbox.state, sandbox.clock.now()
    cost = price(sandbox, offer, area_code=bool(areas), carrier=bool(carriers))
    if offer.mock and offer.mock.refusal:
        raise Refused(offer.mock.refusal, f"This is what {offer.name} always answers.")
    limit = sandbox.settings.max_unfinished
    if limit is not None and state.unfinished >= limit:
        raise Refused("TooManyUnfinishedVerifications", f"You already have {state.unfinished} open verifications.")
    if max_price is not None and cost > max_price:
        raise Refused("PricingFailure", "The price is above the given maximum.")
    if cost > state.balance:
        raise Refused("InsufficientBalance", "Your balance is too low for this verification.")
    phone = state.pool.take(areas) if quantity(sandbox, offer) else None
    if phone is None:
        raise Refused("Unavailable", "No numbers are available for this service at the moment.")
    if offer.name in sandbox.settings.stock:
        sandbox.settings.stock[offer.name] -= 1
    number = Number(
        id=new_id("lr_"),
        ordinal=len(state.numbers),
        sale=new_id("sa_"),
        number=phone,
        service=offer.name,
        cost=cost,
        key=key,
        created_at=now,
        ends_at=now + offer.lifetime,
        updated_at=now,
    )
    state.balance = round(state.balance - cost, 2)
    state.add_number(number)
    delay = _code_after(sandbox, offer)
    if delay is not None:
        code = MOCK_CODE if offer.mock else _digits(number.id)
        text = f"Your {offer.title if not offer.mock else offer.name} verification code is {code}."
        number.planned.append({"due": now + delay, "text": text, "sent_at": None, "duplicate": False})
    schedule(sandbox, number)
    sandbox.changed()
    return number


def price(sandbox: Sandbox, offer: Offer, *, area_code: bool, carrier: bool) -> float:
    """Return the price in cents, possibly with a fraction."""
    dearer = offer.price(area_code=area_code, carrier=carrier) - offer.cost
    return round(sandbox.settings.costs.get(offer.name, offer.cost) + dearer, 2)


def quantity(sandbox: Sandbox, offer: Offer) -> int:
    """Return how many numbers are available for this service."""
    if offer.mock and offer.mock.refusal == "Unavailable":
        return 0
    return max(0, min(sandbox.settings.stock.get(offer.name, 500), sandbox.state.pool.stock()))


def schedule(sandbox: Sandbox, number: Number) -> None:
    """Set the timers of a number just sold, or just read from the state file."""
    for plan in number.planned:
        sandbox.clock.at(plan["due"], partial(_arrive_as_planned, sandbox, number, plan))
    if not number.released:
        sandbox.clock.at(number.ends_at, partial(_end, sandbox, number))


def plan_message(
    sandbox: Sandbox, number: Number, *, text: str, delay: float, sent_at: float | None, twice: bool
) -> None:
    """Plan a message to the number after `delay` seconds on the sandbox's clock; 0 delivers it now."""
    due = sandbox.clock.now() + delay
    plan = {"due": due, "text": text, "sent_at": sent_at, "duplicate": twice}
    number.planned.append(plan)
    if delay > 0:
        sandbox.clock.at(due, partial(_arrive_as_planned, sandbox, number, plan))
    else:
        _arrive_as_planned(sandbox, number, plan)
    sandbox.changed()


def can_cancel(sandbox: Sandbox, number: Number) -> bool:
    return number.state == PENDING and cancel_wait(sandbox, number) <= 0


def cancel_wait(sandbox: Sandbox, number: Number) -> float:
    """Return the seconds until the number may be cancelled."""
    return number.created_at + sandbox.settings.cancel_lock_seconds - sandbox.clock.now()


def cancel(sandbox: Sandbox, number: Number) -> None:
    if number.state != PENDING:
        raise Refused("CancellationNotAllowed", f"This verification can no longer be canceled: {number.state}.")
    wait = cancel_wait(sandbox, number)
    if wait > 0:
        seconds = -int(-wait // 1)
        raise Refused("TooEarlyToCancel", f"This verification can be canceled in {seconds} seconds.")
    _finish(sandbox, number, CANCELED)
    _give_money_back(sandbox, number)
    _release(sandbox, number)
    sandbox.changed()


def can_report(sandbox: Sandbox, number: Number) -> bool:
    if number.state == TIMED_OUT:
        return sandbox.clock.now() < number.ends_at + REPORTABLE_AFTER_END
    return number.state == PENDING


def report(sandbox: Sandbox, number: Number) -> None:
    if not can_report(sandbox, number):
        raise Refused("ReportNotAllowed", f"This verification can't be reported: {number.state}.")
    _finish(sandbox, number, REPORTED)
    _give_money_back(sandbox, number)
    _release(sandbox, number)
    sandbox.changed()


def _code_after(sandbox: Sandbox, offer: Offer) -> float | None:
    """Return the seconds until the code comes, None for never; by the seed and the order of the sales."""
    if offer.mock:
        return offer.mock.code_after
    fate = hashlib.sha256(f"{sandbox.settings.seed}:{sandbox.state.fate}".encode()).digest()
    sandbox.state.fate += 1
    if fate[0] % 8 == 0:
        return None
    return 2 + 6 * int.from_bytes(fate[1:3], "big") / 65535


def _digits(seed: str) -> str:
    return f"{int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], 'big') % 1_000_000:06d}"


def parsed_code(text: str) -> str | None:
    found = _CODE.search(text)
    return re.sub(r"\D", "", found[1]) if found else None


def _arrive_as_planned(sandbox: Sandbox, number: Number, plan: dict[str, Any]) -> None:
    if not any(waiting is plan for waiting in number.planned):
        return
    number.planned = [waiting for waiting in number.planned if waiting is not plan]
    now = sandbox.clock.now()
    message = {
        "id": new_id("sms_"),
        "from": f"{22000 + int(_digits(number.service)) % 70000}",
        "to": number.number,
        "createdAt": iso(plan["sent_at"] if plan["sent_at"] is not None else now),
        "smsContent": plan["text"],
        "parsedCode": parsed_code(plan["text"]),
        "encrypted": False,
    }
    if number.state == PENDING:
        _finish(sandbox, number, COMPLETED)
    for _ in range(2 if plan["duplicate"] else 1):
        number.messages.append(message)
        sandbox.state.messages.append(message)
    _announce(sandbox, number, message, times=2 if plan["duplicate"] else 1)
    sandbox.changed()


def _announce(sandbox: Sandbox, number: Number, message: dict[str, Any], *, times: int) -> None:
    payload = {
        "attempt": 1,
        "occurredAt": iso(sandbox.clock.now()),
        "event": "v2.sms.received",
        "id": new_id("evt_"),
        "idempotencyKey": new_id("idem_"),
        "data": {
            **{name: value for name, value in message.items() if name != "id"},
            "reservationId": number.id,
        },
    }
    for _ in range(times):
        sandbox.webhooks.send(
            vendor="textverified",
            event="v2.sms.received",
            url=f"{sandbox.settings.public_url}/webhooks/textverified",
            payload=payload,
            sign=partial(webhooks.textverified_signature, sandbox.config.textverified_webhook_secret),
            enabled=sandbox.settings.webhook_enabled,
            attempt_field="attempt",
        )


def _end(sandbox: Sandbox, number: Number) -> None:
    """End a reservation whose time is over: refund it if no code came, and free the phone number."""
    if number.released:
        return
    if number.state == PENDING:
        _finish(sandbox, number, TIMED_OUT)
        _give_money_back(sandbox, number)
    _release(sandbox, number)
    sandbox.changed()


def _finish(sandbox: Sandbox, number: Number, state: str) -> None:
    if number.state == PENDING:
        sandbox.state.unfinished -= 1
    number.state = state
    number.updated_at = sandbox.clock.now()


def _give_money_back(sandbox: Sandbox, number: Number) -> None:
    if not number.refunded:
        number.refunded = True
        sandbox.state.balance = round(sandbox.state.balance + number.cost, 2)


def _release(sandbox: Sandbox, number: Number) -> None:
    number.planned = []
    if number.released:
        return
    number.released = True
    if sandbox.state.live.get(number.number) is number:
        del sandbox.state.live[number.number]
    sandbox.state.pool.give_back(number.number)
