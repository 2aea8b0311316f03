"""The protocol of SMS providers, its types and errors. A vendor's own terms stop at its adapter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol, TypeVar

from config.lib.remote.errors import OutcomeUnknown, RemoteError, Unavailable

T = TypeVar("T")


@dataclass(frozen=True)
class Spec:
    """The number that is wanted. `max_cost` in the currency's unit: the provider refuses a sale above it."""

    service: str
    country: str = "US"
    capability: str = "sms"
    area_code: str = ""
    max_cost: Decimal | None = None


@dataclass(frozen=True)
class Quote:
    service: str
    cost: Decimal
    stock: int | None


@dataclass(frozen=True)
class ServiceListing:
    name: str
    capability: str
    title: str = ""


# "unknown": a state of the provider's that we don't know. It ends nothing; a text that came counts all the same.
NumberState = Literal["waiting", "completed", "cancelled", "timed_out", "failed", "unknown"]


class PartialList(list[T]):
    """The rows of the provider's list that could be read, and how many could not: those may be anything."""

    def __init__(self, rows: Iterable[T] = (), *, unreadable: int = 0) -> None:
        super().__init__(rows)
        self.unreadable = unreadable


@dataclass(frozen=True)
class Text:
    """A text message. `received_at` is the provider's time; `code` what it parsed, or ''.

    `vendor_id` is the provider's id of it, '' where a webhook has none: two texts may be equal without being the same.
    """

    sender: str = field(repr=False)
    text: str = field(repr=False)
    code: str = field(repr=False)
    received_at: datetime
    vendor_id: str = field(default="", compare=False)


@dataclass(frozen=True)
class Number:
    """A number that the provider sold us, as it stands at the provider now."""

    provider_id: str
    phone_number: str = field(repr=False)
    service: str
    state: NumberState
    cost: Decimal
    created_at: datetime
    expires_at: datetime
    can_cancel: bool
    can_report: bool
    messages: Sequence[Text] = ()


@dataclass(frozen=True)
class Sale:
    """A sale to us, as the provider lists it. `fetch` has the rest.

    `key` is the one that it was bought with, "" where the provider's list does not show it.
    """

    provider_id: str
    phone_number: str = field(repr=False)
    service: str
    state: NumberState
    cost: Decimal
    created_at: datetime
    key: str = ""


@dataclass(frozen=True)
class IncomingText:
    """A message that a webhook brought: for which number (provider's id), and the vendor's idempotency key."""

    provider_id: str
    key: str
    message: Text


class OutOfStock(RemoteError):
    """The provider has no such number now. Nothing was bought."""


class PriceMoved(RemoteError):
    """The provider's price is above `max_cost` now. Nothing was bought."""


class ProviderFunds(RemoteError):
    """Our balance at the provider is too low. Nothing was bought."""


class Unexplained(OutcomeUnknown):
    """Answered with a 4xx that lacks the provider's own error code: something in between may have written it."""


class InProgress(OutcomeUnknown):
    """The provider is still answering an earlier request with the same key: wait, then ask with the same key."""


class KeyExpired(RemoteError):
    """The provider dropped this idempotency key without completing the sale: nothing was bought under it."""


class TooEarly(RemoteError):
    """The number can't be cancelled yet. `retry_after` in seconds."""

    def __init__(self, message: str = "", *, retry_after: float = 30.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def outcome_of(error: RemoteError) -> str:
    """Return an error's name for metrics: OutOfStock -> "out_of_stock"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def is_outage(error: BaseException) -> bool:
    """Return whether an error says that the provider is down. A refusal is an answer, and so is "still running"."""
    return isinstance(error, Unavailable | OutcomeUnknown) and not isinstance(error, InProgress)


class Provider(Protocol):
    """One vendor. Its methods are synchronous, safe to call from any thread, and have time limits of their own.

    All may raise Throttled, Unavailable (surely not done) and, where something changes, OutcomeUnknown (perhaps done).
    """

    name: str

    def services(self) -> PartialList[ServiceListing]:
        """Return what the provider sells."""

    def quote(self, spec: Spec) -> Quote:
        """Return cost and stock now. Raises Rejected for an unknown service."""

    def purchase(self, spec: Spec, *, key: str) -> Number:
        """Buy one number. Idempotent: the same key never buys twice.

        Raises OutOfStock, PriceMoved, ProviderFunds, Rejected, InProgress, KeyExpired, OutcomeUnknown.
        """

    def fetch(self, provider_id: str) -> Number:
        """Return the number with its messages (of this reservation alone). Raises NotFound."""

    def fetch_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, Number | RemoteError]:
        """Fetch many at once over one session; an error is returned in its number's place.

        A number that waits there may come without messages: the provider would call it completed, had it had any.
        Where the provider throttles, or answers none of the first ones, the rest gets that error without being asked.
        """

    def cancel(self, provider_id: str) -> None:
        """Return the number to the provider. Raises TooEarly, Rejected (it has ended: fetch it), NotFound."""

    def report(self, provider_id: str) -> None:
        """Report that the number never worked, which returns its cost. Raises Rejected where not allowed."""

    def report_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, RemoteError | None]:
        """Report many at once, as `fetch_many` fetches them; None where it was done."""

    def recent(self, *, since: datetime) -> PartialList[Sale]:
        """Return all numbers sold to us since then, in no order that could be relied on."""

    def balance(self) -> Decimal:
        """Return our balance at the provider, in the currency's unit."""

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes) -> IncomingText | None:
        """Return the message in a webhook, None for other events. Raises BadSignature, BadPayload."""
