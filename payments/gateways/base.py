"""What every payment gateway offers us. An adapter is one file beside this: it maps its vendor's terms to these."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from config.lib.remote.bulkhead import Full, bulkhead
from config.lib.remote.errors import BadPayload, Throttled

PLACE_SECONDS = 0.5  # to wait for a place: a checkout can't be left to the background
BUSY_SECONDS = 2  # after so long one is likely free again
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
GatewayStatus = Literal["paid", "open", "processing", "failed", "expired"]
EventKind = Literal["settles", "later", "ignored"]


@dataclass(frozen=True)
class CheckoutRequest:
    """What the customer is to pay. `amount` in cents; the same `reference` never opens two checkouts."""

    reference: str
    amount: int
    currency: str
    description: str
    success_url: str
    cancel_url: str
    created_at: datetime
    expires_at: datetime
    email: str = field(default="", repr=False)


@dataclass(frozen=True)
class CheckoutSession:
    """A checkout at the gateway; `url` is empty once it can't be paid any more."""

    id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True)
class GatewayState:
    """How a checkout stands at the gateway. `amount` in cents, `currency` in capitals: what was or would be paid.

    open: not paid yet. processing: the customer is done, the money is still on its way.
    """

    status: GatewayStatus
    amount: int
    currency: str
    gateway_id: str
    failure_reason: str = ""


@dataclass(frozen=True)
class GatewayEventData:
    """One webhook. `kind` says what its type is for: to settle a checkout, for a later feature (kept), nothing.

    `gateway_id` and `reference` name the checkout, where the event has one ("" where not).
    """

    id: str
    type: str
    kind: EventKind
    payload: dict[str, Any] = field(repr=False)
    gateway_id: str = ""
    reference: str = ""


@contextmanager
def asking(gateway: str, operation: str) -> Iterator[None]:
    """Give the database connection back and take one of the gateway's places, for each request of an adapter.

    `operation` is one of VENDOR_PLACES. Raises Throttled where all are taken, RuntimeError inside a transaction.
    """
    try:
        with bulkhead(gateway, operation).place(wait=PLACE_SECONDS):
            yield
    except Full as error:
        raise Throttled(str(error), retry_after=BUSY_SECONDS) from error


def read_json(body: bytes) -> Any:
    """Return what a webhook's body says, as PostgreSQL's jsonb can keep it. Raises BadPayload.

    It holds neither NaN, nor infinity ("1e999"), nor the NUL character. Half a character, as of a name cut inside an
    emoji, becomes a question mark.
    """
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise BadPayload("The body is not JSON.") from error
    if _NUL.search(body):
        raise BadPayload("The body contains a NUL character.")
    return json.loads(text.encode(errors="replace"))


class Gateway(Protocol):
    """One vendor. Methods block, may be called from any thread, and have a time limit of their own.

    None of them tries twice: the services decide what may be asked again.
    """

    name: str
    title: str

    def create(self, request: CheckoutRequest) -> CheckoutSession:
        """Open a checkout; the same reference gets the same one.

        Raises Unavailable, Throttled, OutcomeUnknown, Rejected.
        """

    def fetch(self, gateway_id: str) -> GatewayState:
        """Return how it stands now. Raises Unavailable, Throttled (nothing was learnt), NotFound, Rejected."""

    def expire(self, gateway_id: str) -> GatewayState:
        """Close it, so that it can't be paid any more.

        Raises Rejected where it is no longer open, and Unavailable, Throttled, OutcomeUnknown.
        """

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes, now: datetime) -> GatewayEventData:
        """Return the event of a webhook whose signature over the raw body holds. Raises BadSignature, BadPayload."""

    def read_event(self, payload: Mapping[str, Any]) -> GatewayEventData:
        """Return the event of a payload that was verified when it came in. Raises BadPayload."""
