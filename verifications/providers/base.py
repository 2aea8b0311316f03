"""What every SMS provider offers us, in our words. A vendor's words stop at its adapter."""

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
    """What is asked for. `max_cost` in the currency's unit: the provider refuses a sale above it."""

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


# "unknown": a word of the provider's without a meaning to us. It ends nothing; a text that came counts all the same.
NumberState = Literal["waiting", "completed", "cancelled", "timed_out", "failed", "unknown"]


class Rows(list[T]):
    """What could be read of a list, and how many of its rows could not: those may be anything."""

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
    """A number that the provider sold us, as it stands there now."""

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
    """A line of the provider's own book: what it sold us. `fetch` has the rest.

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
    """No number to be had for this just now. Nothing was bought."""


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
    """Can't be cancelled yet. `retry_after` in seconds."""

    def __init__(self, message: str = "", *, retry_after: float = 30.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def outcome_of(error: RemoteError) -> str:
    """An error's name for metrics: OutOfStock -> "out_of_stock"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def is_outage(error: BaseException) -> bool:
    """Whether it says that the provider is down. A refusal is an answer, and so is "still running"."""
    return isinstance(error, Unavailable | OutcomeUnknown) and not isinstance(error, InProgress)


class Provider(Protocol):
    """One vendor. Methods are synchronous doors, safe to call from any thread, with a time limit of their own.

    All may raise Throttled, Unavailable (surely not done) and, where something changes, OutcomeUnknown (perhaps done).
    """

    name: str

    def services(self) -> Rows[ServiceListing]: ...

    def quote(self, spec: Spec) -> Quote:
        """Cost and stock now. Raises Rejected for an unknown service."""

    def purchase(self, spec: Spec, *, key: str) -> Number:
        """Buy one number; the same key never buys twice.

        Raises OutOfStock, PriceMoved, ProviderFunds, Rejected, InProgress, KeyExpired, OutcomeUnknown.
        """

    def fetch(self, provider_id: str) -> Number:
        """The number with its messages (of this reservation alone). Raises NotFound."""

    def fetch_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, Number | RemoteError]:
        """Fetch many at once over one session; an error is returned in its number's place.

        A number that waits there may come without messages: the provider would call it completed, had it had any.
        Where the provider throttles, or answers none of the first ones, the rest gets that error without being asked.
        """

    def cancel(self, provider_id: str) -> None:
        """Give the number back. Raises TooEarly, Rejected (already ended there: fetch it), NotFound."""

    def report(self, provider_id: str) -> None:
        """Say that the number never worked, so that its cost comes back. Raises Rejected where not allowed."""

    def report_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, RemoteError | None]:
        """Report many at once, as `fetch_many` fetches them; None where it was done."""

    def recent(self, *, since: datetime) -> Rows[Sale]:
        """All numbers sold to us since then, in no order that could be relied on."""

    def balance(self) -> Decimal:
        """Return our balance at the provider, in the currency's unit."""

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes) -> IncomingText | None:
        """The message in a webhook, None for news that don't concern us. Raises BadSignature, BadPayload."""
