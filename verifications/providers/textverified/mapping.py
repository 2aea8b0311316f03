"""The mapping between TextVerified's JSON and our types: states, error codes and shapes stand here alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import urlsplit

from config.lib.remote.errors import NotFound, Rejected, RemoteError, Throttled
from verifications.providers.base import (
    InProgress,
    KeyExpired,
    Number,
    NumberState,
    OutOfStock,
    PriceMoved,
    ProviderFunds,
    Sale,
    ServiceListing,
    Text,
    TooEarly,
)

# Compared without case, as are capabilities and error codes: the vendor's own examples write `Sms`.
STATES: dict[str, NumberState] = {
    "verificationPending": "waiting",
    "verificationCompleted": "completed",
    "verificationCanceled": "cancelled",
    "verificationTimedOut": "timed_out",
    "verificationReported": "failed",
    "verificationRefunded": "failed",
    "verificationReused": "completed",
    "verificationReactivated": "completed",
}

# errorCode of a 4xx answer -> our error. What is not here is Rejected; a 404 is NotFound, a 429 Throttled.
ERRORS: dict[str, type[RemoteError]] = {
    "Unavailable": OutOfStock,
    "PricingFailure": PriceMoved,
    "InsufficientBalance": ProviderFunds,
    "TooManyUnfinishedVerifications": Throttled,
    "IdempotencyConflict": InProgress,
    "IdempotencyKeyExpired": KeyExpired,
    "TooEarlyToCancel": TooEarly,
}

CAPABILITIES = {"sms": "sms", "voice": "voice", "smsAndVoiceCombo": "sms_and_voice"}

_STATES = {word.casefold(): state for word, state in STATES.items()}
_ERRORS = {word.casefold(): error for word, error in ERRORS.items()}
_CAPABILITIES = {word.casefold(): capability for word, capability in CAPABILITIES.items()}
_NAMES = {
    name.casefold(): name
    for name in (
        *("attempt", "occurredAt", "event", "id", "idempotencyKey", "data"),
        *("from", "to", "createdAt", "smsContent", "parsedCode", "encrypted", "reservationId"),
    )
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")
_PLACES = Decimal("0.0001")
_SECONDS = re.compile(r"(\d{1,5}) ?s(?:ec|\b)")


T = TypeVar("T")


class Unreadable(ValueError):
    """An answer that is not what the vendor documents."""


@contextmanager
def parsing(what: str) -> Iterator[None]:
    """Raise Unreadable, which quotes no content, for every way in which a shape can be wrong."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, InvalidOperation, OverflowError):
        raise Unreadable(what) from None


def error_from(status: int, body: Any) -> RemoteError:
    """Return our error for a 4xx answer. Its text has the vendor's code alone: descriptions may quote secrets."""
    code, description = error_fields(body)
    said = f"{status} {code}".strip()
    kind = _ERRORS.get(code.casefold())
    if kind is Throttled or kind is TooEarly:
        seconds = seconds_in(description)
        return kind(said) if seconds is None else kind(said, retry_after=seconds)
    if kind is not None:
        return kind(said)
    if status == 409:
        return InProgress(said)
    if code.casefold().startswith("idempotency"):
        return KeyExpired(said)
    return NotFound(said) if status == 404 else Rejected(said)


def error_fields(body: Any) -> tuple[str, str]:
    """Return errorCode and errorDescription, empty where there are none."""
    if not isinstance(body, dict):
        return "", ""
    code, description = body.get("errorCode"), body.get("errorDescription")
    return (
        code if isinstance(code, str) and re.fullmatch(r"\w{1,60}", code) else "",
        description if isinstance(description, str) else "",
    )


def seconds_in(description: str) -> float | None:
    """Return the seconds that a sentence like `… can be canceled in 12 seconds.` asks us to wait, None for none."""
    found = _SECONDS.search(description)
    return max(1.0, float(found[1])) if found else None


def parse_id(value: Any) -> str:
    """Return an id of the vendor's that is safe in a path. Raises Unreadable."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Unreadable("id")
    return value


def parse_link(body: Any, location: str) -> str:
    """Return the id at the end of the link that a purchase answers with: in the body, else the Location header."""
    href = body.get("href") if isinstance(body, dict) else None
    for link in (href, location):
        if isinstance(link, str) and link:
            with parsing("link"):
                return parse_id(urlsplit(link).path.rstrip("/").rpartition("/")[2])
    raise Unreadable("link")


def parse_time(value: Any) -> datetime:
    parsed = datetime.fromisoformat(value)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def parse_amount(value: Any) -> Decimal:
    """Return an amount in dollars, to the four places that we keep; what a double adds beyond them is dropped."""
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0:
        raise Unreadable("amount")
    rounded = amount.quantize(_PLACES, rounding=ROUND_HALF_UP)
    return amount if amount == rounded else rounded


def parse_number(body: Any) -> Number:
    with parsing("verification"):
        return Number(
            provider_id=parse_id(body["id"]),
            phone_number=_parse_phone(body["number"]),
            service=str(body["serviceName"]),
            state=parse_state(body["state"]),
            cost=parse_amount(body["totalCost"]),
            created_at=parse_time(body["createdAt"]),
            expires_at=parse_time(body["endsAt"]),
            can_cancel=_is_offered(body, "cancel", "canCancel"),
            can_report=_is_offered(body, "report", "canReport"),
        )


def _is_offered(body: Any, action: str, flag: str) -> bool:
    """Return whether the vendor offers an action now; one that it does not mention can't be done."""
    offered = body.get(action)
    return isinstance(offered, dict) and offered.get(flag) is True


def parse_sale(row: Any) -> Sale:
    with parsing("list of verifications"):
        return Sale(
            provider_id=parse_id(row["id"]),
            phone_number=_parse_phone(row["number"]),
            service=str(row["serviceName"]),
            state=parse_state(row["state"]),
            cost=parse_amount(row["totalCost"]),
            created_at=parse_time(row["createdAt"]),
            key=str(row.get("idempotencyKey") or ""),
        )


def parse_service(row: Any) -> ServiceListing:
    with parsing("list of services"):
        name = row["serviceName"]
        if not isinstance(name, str) or not name:
            raise Unreadable("service")
        return ServiceListing(
            name=storable(name),
            capability=_CAPABILITIES[row["capability"].casefold()],
            title=storable(row.get("description")),
        )


def parse_list(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise Unreadable("list")
    return body


def parse_rows(rows: Iterable[Any], read: Callable[[Any], T]) -> tuple[list[T], int]:
    """Return the rows that can be read, and how many can't."""
    found, unreadable = [], 0
    for row in rows:
        try:
            found.append(read(row))
        except Unreadable:
            unreadable += 1
    return found, unreadable


def parse_state(word: Any) -> NumberState:
    """Return our state for one of the vendor's, "unknown" for one that we don't know."""
    if not isinstance(word, str):
        raise Unreadable("state")
    return _STATES.get(word.casefold(), "unknown")


def storable(value: Any) -> str:
    """Return a text that can be stored: JSON may carry NUL and, in a message that was cut, half a character."""
    return _NOT_STORABLE.sub("\ufffd", str(value or ""))


def parse_text(row: Any) -> Text:
    with parsing("message"):
        return Text(
            sender=storable(row.get("from"))[:40],
            text=storable(row.get("smsContent")),
            code=storable(row.get("parsedCode")),
            received_at=parse_time(row["createdAt"]),
            vendor_id=storable(row.get("id"))[:80],
        )


def normalise_names(mapping: Any) -> dict[str, Any]:
    """Return the object with the document's spelling of its names: webhooks are also written in PascalCase."""
    if not isinstance(mapping, dict):
        raise Unreadable("object")
    return {_NAMES.get(str(name).casefold(), str(name)): value for name, value in mapping.items()}


def parse_text_for(row: Any, *, provider_id: str, phone_number: str) -> Text | None:
    """Return a message of `GET /sms?reservationId=`; None for another number's, should the filter ever fail."""
    with parsing("message"):
        reservation, to = row.get("reservationId"), row.get("to")
        is_ours = (not reservation or reservation == provider_id) and (not to or _digits(to) == _digits(phone_number))
    return parse_text(row) if is_ours else None


def _parse_phone(value: Any) -> str:
    if not isinstance(value, str) or not 5 <= len(value) <= 20:
        raise Unreadable("number")
    return value


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)[-10:]
