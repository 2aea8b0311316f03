"""The sandbox's state. Amounts are cents, times are seconds of the sandbox's clock."""

import json
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dev.sandbox.catalogue import AREA_CODES

STARTING_BALANCE = 1_000_000

PENDING = "verificationPending"
COMPLETED = "verificationCompleted"
CANCELED = "verificationCanceled"
TIMED_OUT = "verificationTimedOut"
REPORTED = "verificationReported"


@dataclass
class Number:
    """One reservation of a phone number for one service."""

    id: str
    ordinal: int  # its place in State.numbers
    sale: str
    number: str
    service: str
    cost: float  # cents, perhaps with a fraction
    key: str | None
    created_at: float
    ends_at: float
    state: str = PENDING
    updated_at: float = 0
    refunded: bool = False
    released: bool = False  # the phone number went back to the pool
    messages: list[dict[str, Any]] = field(default_factory=list)  # as `GET /sms` shows them, oldest first
    planned: list[dict[str, Any]] = field(default_factory=list)  # {due, text, sent_at, duplicate}, not yet arrived


@dataclass
class PurchaseKey:
    """An Idempotency-Key of TextVerified: running, completed (then with the number sold), or expired."""

    state: str
    number: str | None = None


@dataclass
class Session:
    """A Stripe Checkout Session with its payment intent and charge, which come into being when a card is charged."""

    id: str
    ordinal: int  # its place in State.sessions
    reference: str | None
    amount: int
    currency: str
    success_url: str
    cancel_url: str | None
    metadata: dict[str, str]
    customer_email: str | None
    title: str
    created: int
    expires_at: int  # as the merchant asked, in real time
    ends_at: float  # the same on the sandbox's clock
    url: str
    status: str = "open"
    payment_status: str = "unpaid"
    payment_intent: str | None = None
    charge: str | None = None
    charge_status: str | None = None  # paid, failed, disputed
    refunded: int = 0
    dispute: str | None = None
    dispute_status: str | None = None


@dataclass
class Refund:
    id: str
    session: str
    amount: int
    status: str
    created: int
    reason: str | None
    metadata: dict[str, str]


@dataclass
class State:
    balance: float = STARTING_BALANCE
    fate: int = 0  # how many ordinary numbers were sold since the seed was set
    numbers: list[Number] = field(default_factory=list)
    purchase_keys: dict[str, PurchaseKey] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    refunds: dict[str, Refund] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    stripe_keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    forgotten_mail: list[str] = field(default_factory=list)
    pushes: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.index()

    def index(self) -> None:
        """Build the lookups by id, phone number, sale and payment."""
        self.by_id: dict[str, Number] = {n.id: n for n in self.numbers}
        self.live: dict[str, Number] = {n.number: n for n in self.numbers if not n.released}
        self.by_phone: dict[str, list[Number]] = {}
        for number in self.numbers:
            self.by_phone.setdefault(number.number, []).append(number)
        self.by_sale: dict[str, Number] = {n.sale: n for n in self.numbers}
        self.unfinished = sum(n.state == PENDING for n in self.numbers)
        self.pool = PhonePool(taken=set(self.live))
        self.session_by_id: dict[str, Session] = {s.id: s for s in self.sessions}
        self.session_by_reference: dict[str, Session] = {s.reference: s for s in self.sessions if s.reference}
        self.session_by_payment: dict[str, Session] = {}
        for session in self.sessions:
            self.index_payment(session)

    def add_number(self, number: Number) -> None:
        self.numbers.append(number)
        self.by_id[number.id] = self.by_sale[number.sale] = self.live[number.number] = number
        self.by_phone.setdefault(number.number, []).append(number)
        self.unfinished += 1

    def add_session(self, session: Session) -> None:
        self.sessions.append(session)
        self.session_by_id[session.id] = session
        if session.reference:
            self.session_by_reference[session.reference] = session

    def index_payment(self, session: Session) -> None:
        for key in (session.payment_intent, session.charge, session.dispute):
            if key:
                self.session_by_payment[key] = session

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def load(cls, data: dict[str, Any]) -> "State":
        return cls(
            **{
                **data,
                "numbers": [Number(**row) for row in data["numbers"]],
                "purchase_keys": {key: PurchaseKey(**row) for key, row in data["purchase_keys"].items()},
                "sessions": [Session(**row) for row in data["sessions"]],
                "refunds": {key: Refund(**row) for key, row in data["refunds"].items()},
            }
        )


class PhonePool:
    """Ten-digit numbers from the range reserved for fiction (555-01xx); the one that is free longest is taken first."""

    def __init__(self, taken: set[str]) -> None:
        self._free = {
            area: deque(f"{area}55501{line:02d}" for line in range(100) if f"{area}55501{line:02d}" not in taken)
            for area in AREA_CODES
        }
        self._areas = deque(AREA_CODES[i * 89 % len(AREA_CODES)] for i in range(len(AREA_CODES)))

    def take(self, areas: list[str] | None = None) -> str | None:
        """Take a free number, in one of these area codes if any are given; return None if there is none."""
        if areas:
            return next((self._free[area].popleft() for area in areas if self._free.get(area)), None)
        for _ in range(len(self._areas)):
            self._areas.rotate(-1)
            if free := self._free[self._areas[0]]:
                return free.popleft()
        return None

    def give_back(self, phone: str) -> None:
        self._free[phone[:3]].append(phone)

    def stock(self) -> int:
        return sum(map(len, self._free.values()))


class StateFile:
    """Writes a snapshot soon after a change, atomically, so that a second `make run` still knows what was sold."""

    def __init__(self, path: Path, snapshot: Callable[[], dict[str, Any]]) -> None:
        self.path = path
        self.snapshot = snapshot
        self._delay = 0.2
        self._last = ""

    @property
    def delay(self) -> float:
        """Return the seconds to wait after a change: at least 0.2, more if writing is slow."""
        return self._delay

    def read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self.path.read_text())
        except FileNotFoundError:
            return None

    def put_aside(self) -> Path:
        return self.path.replace(self.path.with_name(f"{self.path.name}.unreadable"))

    def write(self) -> None:
        started = time.monotonic()
        text = json.dumps(self.snapshot(), separators=(",", ":"))
        if text != self._last:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.draft")
            draft.write_text(text)
            draft.replace(self.path)
            self._last = text
        self._delay = max(0.2, 20 * (time.monotonic() - started))
