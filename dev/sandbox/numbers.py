"""The life of a number: sold, a message arrives, cancelled, reported, over. No HTTP here."""

import hashlib
import re
from functools import partial
from typing import Any

from dev.sandbox import webhooks
from dev.sandbox.catalogue import Offer
from dev.sandbox.clock import iso
from dev.sandbox.state import CANCELED, COMPLETED, PENDING, REPORTED, TIMED_OUT, Number
from dev.sandbox.world import World, new_id

MOCK_CODE = "123456"
REPORTABLE_AFTER_END = 600  # seconds
_CODE = re.compile(r"(?<![\w-])(?:[A-Z]-)?(\d{3}[- ]\d{3}|\d{4,8})(?![\w-])")


class Refused(Exception):
    """The vendor says no: `code` and `description` go into its error body."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def sell(
    world: World, *, offer: Offer, key: str | None, areas: list[str], carriers: list[str], max_price: float | None
) -> Number:
    state, now = world.state, world.clock.now()
    cost = price(world, offer, area_code=bool(areas), carrier=bool(carriers))
    if offer.mock and offer.mock.refusal:
        raise Refused(offer.mock.refusal, f"This is what {offer.name} always answers.")
    limit = world.knobs.max_unfinished
    if limit is not None and state.unfinished >= limit:
        raise Refused("TooManyUnfinishedVerifications", f"You already have {state.unfinished} open verifications.")
    if max_price is not None and cost > max_price:
        raise Refused("PricingFailure", "The price is above the given maximum.")
    if cost > state.balance:
        raise Refused("InsufficientBalance", "Your balance is too low for this verification.")
    phone = state.pool.take(areas) if quantity(world, offer) else None
    if phone is None:
        raise Refused("Unavailable", "No numbers are available for this service at the moment.")
    if offer.name in world.knobs.stock:
        world.knobs.stock[offer.name] -= 1
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
    delay = _code_after(world, offer)
    if delay is not None:
        code = MOCK_CODE if offer.mock else _digits(number.id)
        text = f"Your {offer.title if not offer.mock else offer.name} verification code is {code}."
        number.planned.append({"due": now + delay, "text": text, "sent_at": None, "duplicate": False})
    schedule(world, number)
    world.changed()
    return number


def price(world: World, offer: Offer, *, area_code: bool, carrier: bool) -> float:
    """Cents, perhaps with a fraction."""
    dearer = offer.price(area_code=area_code, carrier=carrier) - offer.cost
    return round(world.knobs.costs.get(offer.name, offer.cost) + dearer, 2)


def quantity(world: World, offer: Offer) -> int:
    """How many of this service's numbers could be had."""
    if offer.mock and offer.mock.refusal == "Unavailable":
        return 0
    return max(0, min(world.knobs.stock.get(offer.name, 500), world.state.pool.stock()))


def schedule(world: World, number: Number) -> None:
    """Set the timers of a number just sold, or just read from the state file."""
    for plan in number.planned:
        world.clock.at(plan["due"], partial(_arrive_as_planned, world, number, plan))
    if not number.released:
        world.clock.at(number.ends_at, partial(_end, world, number))


def plan_message(world: World, number: Number, *, text: str, delay: float, sent_at: float | None, twice: bool) -> None:
    """A message that somebody sends to the number, now or on the sandbox's clock later."""
    due = world.clock.now() + delay
    plan = {"due": due, "text": text, "sent_at": sent_at, "duplicate": twice}
    number.planned.append(plan)
    if delay > 0:
        world.clock.at(due, partial(_arrive_as_planned, world, number, plan))
    else:
        _arrive_as_planned(world, number, plan)
    world.changed()


def can_cancel(world: World, number: Number) -> bool:
    return number.state == PENDING and cancel_wait(world, number) <= 0


def cancel_wait(world: World, number: Number) -> float:
    """Seconds until it may be cancelled."""
    return number.created_at + world.knobs.cancel_lock_seconds - world.clock.now()


def cancel(world: World, number: Number) -> None:
    if number.state != PENDING:
        raise Refused("CancellationNotAllowed", f"This verification can no longer be canceled: {number.state}.")
    wait = cancel_wait(world, number)
    if wait > 0:
        seconds = -int(-wait // 1)
        raise Refused("TooEarlyToCancel", f"This verification can be canceled in {seconds} seconds.")
    _finish(world, number, CANCELED)
    _give_money_back(world, number)
    _release(world, number)
    world.changed()


def can_report(world: World, number: Number) -> bool:
    if number.state == TIMED_OUT:
        return world.clock.now() < number.ends_at + REPORTABLE_AFTER_END
    return number.state == PENDING


def report(world: World, number: Number) -> None:
    if not can_report(world, number):
        raise Refused("ReportNotAllowed", f"This verification can't be reported: {number.state}.")
    _finish(world, number, REPORTED)
    _give_money_back(world, number)
    _release(world, number)
    world.changed()


def _code_after(world: World, offer: Offer) -> float | None:
    """Seconds until the code, None for never. The same seed gives the same fates in the order of the sales."""
    if offer.mock:
        return offer.mock.code_after
    fate = hashlib.sha256(f"{world.knobs.seed}:{world.state.fate}".encode()).digest()
    world.state.fate += 1
    if fate[0] % 8 == 0:
        return None
    return 2 + 6 * int.from_bytes(fate[1:3], "big") / 65535


def _digits(seed: str) -> str:
    return f"{int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], 'big') % 1_000_000:06d}"


def parsed_code(text: str) -> str | None:
    found = _CODE.search(text)
    return re.sub(r"\D", "", found[1]) if found else None


def _arrive_as_planned(world: World, number: Number, plan: dict[str, Any]) -> None:
    if not any(waiting is plan for waiting in number.planned):
        return
    number.planned = [waiting for waiting in number.planned if waiting is not plan]
    now = world.clock.now()
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
        _finish(world, number, COMPLETED)
    for _ in range(2 if plan["duplicate"] else 1):
        number.messages.append(message)
        world.state.messages.append(message)
    _announce(world, number, message, times=2 if plan["duplicate"] else 1)
    world.changed()


def _announce(world: World, number: Number, message: dict[str, Any], *, times: int) -> None:
    payload = {
        "attempt": 1,
        "occurredAt": iso(world.clock.now()),
        "event": "v2.sms.received",
        "id": new_id("evt_"),
        "idempotencyKey": new_id("idem_"),
        "data": {
            **{name: value for name, value in message.items() if name != "id"},
            "reservationId": number.id,
        },
    }
    for _ in range(times):
        world.webhooks.send(
            vendor="textverified",
            event="v2.sms.received",
            url=f"{world.knobs.public_url}/webhooks/textverified",
            payload=payload,
            sign=partial(webhooks.textverified_signature, world.config.textverified_webhook_secret),
            enabled=world.knobs.webhook_enabled,
            attempt_field="attempt",
        )


def _end(world: World, number: Number) -> None:
    """The time is over. Without a code the money comes back, and either way the phone number is free again."""
    if number.released:
        return
    if number.state == PENDING:
        _finish(world, number, TIMED_OUT)
        _give_money_back(world, number)
    _release(world, number)
    world.changed()


def _finish(world: World, number: Number, state: str) -> None:
    if number.state == PENDING:
        world.state.unfinished -= 1
    number.state = state
    number.updated_at = world.clock.now()


def _give_money_back(world: World, number: Number) -> None:
    if not number.refunded:
        number.refunded = True
        world.state.balance = round(world.state.balance + number.cost, 2)


def _release(world: World, number: Number) -> None:
    number.planned = []
    if number.released:
        return
    number.released = True
    if world.state.live.get(number.number) is number:
        del world.state.live[number.number]
    world.state.pool.give_back(number.number)
