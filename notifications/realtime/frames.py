"""Every frame of the sockets in both directions, as a typed model, and the functions that build the server's.

A frame is a JSON object `{"type": NAME, ...}`. Money is a string with two places, a time is ISO 8601 with its offset.
Unknown fields are refused. `parse` reads a client's frame; `encode` checks what the server sends as it encodes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from activity import models as activity_models
from config.lib import money
from payments import models as payments_models
from wallet import models as wallet_models

MAX_CHARACTERS = 16_384
MAX_IDS = 100

Natural = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Ids = Annotated[list[Natural], Meta(min_length=1, max_length=MAX_IDS)]
Money = Annotated[str, Meta(pattern=r"^-?[0-9]+\.[0-9]{2}\Z")]
Time = Annotated[str, Meta(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})\Z")]
Secret = Annotated[str, Meta(min_length=1, max_length=200)]


class BadFrame(Exception):
    """A frame that is not as declared. `code` goes to the client in an `error` frame."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")


# From the server. A field that is UNSET is left out.


class ServerFrame(Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """`channel` is what a client subscribes to; frames without one always arrive."""

    channel: ClassVar[str] = ""

    @property
    def type(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def topic(self) -> str:
        """Return the narrow channel of the one object that the frame is about, "" for most frames."""
        return ""


class Hello(ServerFrame, tag="hello"):
    seq: Natural
    unread: Natural
    balance: Money
    available: Money
    version: Natural
    heartbeat: Natural
    timestamp: Time


class Notification(ServerFrame, tag="notification"):
    channel: ClassVar[str] = "notifications"
    id: Natural
    seq: Natural
    notification_type: str
    category: str
    priority: str
    title: str
    message: str
    link: str
    icon: str
    is_read: bool
    created_at: Time
    unread: Natural | UnsetType = UNSET


class Unread(ServerFrame, tag="unread"):
    """The badge. `read` and `hidden`: the rows that just were; `stale`: too many to name, load the list again.

    Of two, the newer is the one with the greater `seq`, then with the smaller `unread`: only a new row raises `unread`.
    """

    channel: ClassVar[str] = "notifications"
    unread: Natural
    seq: Natural
    read: Ids | UnsetType = UNSET
    hidden: Ids | UnsetType = UNSET
    stale: bool | UnsetType = UNSET


class JournalRow(Struct, kw_only=True, forbid_unknown_fields=True):
    """A transaction of the wallet."""

    id: Natural
    sequence: Natural
    amount: Money
    transaction_type: str
    description: str
    service: str
    created_at: Time


class BalanceUpdate(ServerFrame, tag="balance_update"):
    """`transaction`: the journal row behind the change, None where only a hold changed."""

    channel: ClassVar[str] = "balance"
    balance: Money
    available: Money
    version: Natural
    transaction: JournalRow | None
    timestamp: Time


class Verification(ServerFrame, tag="verification"):
    channel: ClassVar[str] = "verifications"
    id: str
    status: str
    service_name: str | UnsetType = UNSET
    service_title: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    phone_number: str | UnsetType | None = UNSET
    price: Money | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    messages: Natural | UnsetType = UNSET
    cancelling: bool | UnsetType = UNSET
    charged: bool | UnsetType = UNSET
    failure_reason: str | UnsetType = UNSET
    created_at: Time | UnsetType = UNSET
    expires_at: Time | UnsetType | None = UNSET
    ended_at: Time | UnsetType | None = UNSET

    @property
    def topic(self) -> str:
        return verification_topic(self.id)


class Activity(ServerFrame, tag="activity"):
    channel: ClassVar[str] = "activity"
    id: Natural
    event: str
    activity_type: str
    resource_type: str
    resource_id: str
    action: str
    status: str
    title: str
    description: str
    data: dict[str, str]
    actor: str
    ip_address: str | None
    user_agent: str
    created_at: Time


class Payment(ServerFrame, tag="payment"):
    channel: ClassVar[str] = "payments"
    reference: str
    status: str
    amount: Money
    failure_reason: str


class Pong(ServerFrame, tag="pong"):
    """Where the inbox and the journal stand now."""

    seq: Natural
    version: Natural


class Resumed(ServerFrame, tag="resumed"):
    seq: Natural
    unread: Natural


class Reset(ServerFrame, tag="reset"):
    """Too much is missing to send it: load the list."""

    seq: Natural


class Error(ServerFrame, tag="error"):
    code: str
    detail: str | UnsetType = UNSET


class Transaction(ServerFrame, JournalRow, tag="transaction"):
    """A customer's journal row, for the console."""

    channel: ClassVar[str] = "console"
    user_id: Natural


class Alert(ServerFrame, tag="alert"):
    channel: ClassVar[str] = "console"
    id: Natural
    rule: str
    severity: str
    cause: str | UnsetType = UNSET
    user_id: Natural | UnsetType | None = UNSET
    state: str | UnsetType = UNSET
    created_at: Time | UnsetType = UNSET


class Health(ServerFrame, tag="health"):
    channel: ClassVar[str] = "console"


FROM_SERVER: Mapping[str, type[ServerFrame]] = {
    str(frame.__struct_config__.tag): frame for frame in ServerFrame.__subclasses__()
}
CHANNELS = frozenset({"notifications", "balance", "activity", "payments", "verifications"})
CONSOLE = frozenset({"console"})

_encoder = msgspec.json.Encoder()
_server_decoder = msgspec.json.Decoder(reduce(or_, FROM_SERVER.values()))


def encode(frame: ServerFrame) -> str:
    """Return the frame as it is sent. Raises BadFrame where its values are not as declared."""
    try:
        text = _encoder.encode(frame)
        _server_decoder.decode(text)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise BadFrame("bad_frame", f"{type(frame).__name__}: {error}") from error
    return text.decode()


# From clients.


class ClientFrame(Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Auth(ClientFrame, tag="auth"):
    token: Secret


class Ping(ClientFrame, tag="ping"):
    pass


class Subscribe(ClientFrame, tag="subscribe"):
    channel: str


class Unsubscribe(ClientFrame, tag="unsubscribe"):
    channel: str


class Resume(ClientFrame, tag="resume"):
    after: Natural


class Read(ClientFrame, tag="read"):
    ids: Ids


class Ack(ClientFrame, tag="ack"):
    seq: Natural


class _Typed(Struct):
    """Any frame, read for its type alone, so that a refusal can name the type."""

    type: str


_typed_decoder = msgspec.json.Decoder(_Typed)
_client_decoders: Mapping[str, msgspec.json.Decoder[ClientFrame]] = {
    str(frame.__struct_config__.tag): msgspec.json.Decoder(frame) for frame in ClientFrame.__subclasses__()
}


def parse(data: str | None) -> ClientFrame:
    """Return a client's frame. Raises BadFrame with a code and a sentence for the client."""
    if data is None or len(data) > MAX_CHARACTERS:
        raise BadFrame("bad_frame", "Send JSON objects as text, of up to 16,384 characters.")
    try:
        name = _typed_decoder.decode(data).type
    except msgspec.ValidationError as error:
        raise BadFrame("bad_frame", "A frame is an object with a type.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadFrame("bad_frame", "This is not JSON.") from error
    decoder = _client_decoders.get(name)
    if decoder is None:
        raise BadFrame("unknown_type", f"The types are {', '.join(_client_decoders)}.")
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise BadFrame("bad_frame", f"{name}: {error}.") from error


def verification_topic(verification_id: UUID | str) -> str:
    """Return the name of the channel of one verification."""
    return f"verification:{verification_id}"


def verification_of_channel(channel: str) -> UUID | None:
    """Return the id in `verification:{id}`, None for another channel."""
    kind, _, given = channel.partition(":")
    try:
        return UUID(given) if kind == "verification" else None
    except ValueError:
        return None


def iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


# Building the server's frames.


def hello(*, seq: int, unread: int, balance: int, held: int, version: int, heartbeat: int, now: datetime) -> Hello:
    """Amounts in cents. `now` orders it among the balances of one version."""
    return Hello(
        seq=seq,
        unread=unread,
        balance=money.to_text(balance),
        available=money.to_text(balance - held),
        version=version,
        heartbeat=heartbeat,
        timestamp=iso(now),
    )


def notification(rendered: Mapping[str, Any], *, unread: int | None = None) -> Notification:
    """`rendered`: what `inbox.rendering.render` returns. Its `type` is sent as `notification_type`."""
    return Notification(
        id=rendered["id"],
        seq=rendered["seq"],
        notification_type=rendered["type"],
        category=rendered["category"],
        priority=rendered["priority"],
        title=str(rendered["title"]),
        message=str(rendered["message"]),
        link=str(rendered["link"]),
        icon=str(rendered["icon"]),
        is_read=rendered["is_read"],
        created_at=rendered["created_at"],
        unread=UNSET if unread is None else unread,
    )


def unread(
    *,
    unread: int,
    seq: int,
    read: list[int] | UnsetType = UNSET,
    hidden: list[int] | UnsetType = UNSET,
    stale: bool | UnsetType = UNSET,
) -> Unread:
    return Unread(unread=unread, seq=seq, read=read, hidden=hidden, stale=stale)


def balance_update(
    *,
    balance: int,
    held: int,
    version: int,
    now: datetime,
    transaction: wallet_models.Transaction | None = None,
) -> BalanceUpdate:
    """Amounts in cents."""
    return BalanceUpdate(
        balance=money.to_text(balance),
        available=money.to_text(balance - held),
        version=version,
        transaction=JournalRow(**_journal_fields(transaction)) if transaction else None,
        timestamp=iso(now),
    )


def transaction(row: wallet_models.Transaction) -> Transaction:
    return Transaction(user_id=row.wallet.user_id, **_journal_fields(row))


def _journal_fields(row: wallet_models.Transaction) -> dict[str, Any]:
    return {
        "id": row.pk,
        "sequence": row.sequence,
        "amount": money.to_text(row.amount),
        "transaction_type": row.type,
        "description": row.description,
        "service": row.service,
        "created_at": iso(row.created_at),
    }


def pong(*, seq: int | None, version: int | None) -> Pong:
    """Return the frame; its numbers are None before the first notification and the first movement of money."""
    return Pong(seq=seq or 0, version=version or 0)


def verification(summary: Mapping[str, Any]) -> Verification:
    """`summary`: what `verifications.selectors.summary_of` returns."""
    return Verification(**summary)


def activity(rendered: Mapping[str, Any]) -> Activity:
    """`rendered`: what `activity.selectors.render` returns."""
    return Activity(**rendered)


def payment(row: payments_models.Payment) -> Payment:
    return Payment(
        reference=row.reference,
        status=row.status,
        amount=money.to_text(row.amount),
        failure_reason=row.failure_reason,
    )


def alert(row: activity_models.Alert) -> Alert:
    return Alert(
        id=row.pk,
        rule=row.rule,
        severity=row.severity,
        cause=row.cause,
        user_id=row.user_id,
        state=row.state,
        created_at=iso(row.created_at),
    )


def error(code: str, detail: str = "") -> Error:
    return Error(code=code, detail=detail or UNSET)
