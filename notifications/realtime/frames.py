"""Every frame of the sockets, both directions: what it holds, on which channel it travels, and the check of both.

A server's frame is `{"type": NAME, ...}`. Money is a string with two places, a time is ISO 8601 in UTC.
Build frames with the functions at the end; `realtime.publish` drops (and logs) one that `check` refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from config.lib import money

Check = Callable[[Any], bool]
_MONEY = re.compile(r"-?\d+\.\d\d")
_LARGEST = 2**63 - 1
MAX_CHARACTERS = 16_384
MAX_IDS = 100


class BadFrame(Exception):
    """A frame that is not as declared. `code` goes to the client in an `error` frame."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")


def natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def text(value: Any) -> bool:
    return isinstance(value, str)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def amount(value: Any) -> bool:
    return isinstance(value, str) and _MONEY.fullmatch(value) is not None


def moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def ids(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MAX_IDS and all(natural(item) for item in value)


def secret(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


def primitives(value: Any) -> bool:
    """JSON of plain values: what a body that belongs to another app may hold."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and primitives(item) for key, item in value.items())
    if isinstance(value, list):
        return all(primitives(item) for item in value)
    return value is None or isinstance(value, str | int | bool)


def maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


@dataclass(frozen=True)
class Frame:
    """`required` and `optional` fields by name; `open`: further primitives too. `channel` "" always arrives."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    channel: str = ""
    open: bool = False

    def refusal(self, body: Mapping[str, Any]) -> str:
        """What is wrong with the fields, "" if nothing."""
        for name, check in self.required.items():
            if name not in body:
                return f"{name} is missing"
            if not check(body[name]):
                return f"{name} is not as declared"
        for name in body.keys() - self.required.keys() - {"type"}:
            if name not in self.optional and not self.open:
                return f"{name} is not a field of this frame"
            if not self.optional.get(name, primitives)(body[name]):
                return f"{name} is not as declared"
        return ""


FROM_SERVER: Mapping[str, Frame] = {
    "hello": Frame(
        {
            "seq": natural,
            "unread": natural,
            "balance": amount,
            "available": amount,
            "version": natural,
            "heartbeat": natural,
            "timestamp": moment,
        }
    ),
    "notification": Frame(
        {
            "id": natural,
            "seq": natural,
            "notification_type": text,
            "category": text,
            "priority": text,
            "title": text,
            "message": text,
            "link": text,
            "icon": text,
            "is_read": flag,
            "created_at": moment,
        },
        {"unread": natural},
        channel="notifications",
    ),
    # `read` and `hidden`: the rows that just were; `stale`: too many to name, load the list again.
    # Newer is the greater `seq`, then the smaller `unread`: nothing but a new row makes `unread` grow.
    "unread": Frame(
        {"unread": natural, "seq": natural}, {"read": ids, "hidden": ids, "stale": flag}, channel="notifications"
    ),
    "balance_update": Frame(
        {"balance": amount, "available": amount, "version": natural, "transaction": primitives, "timestamp": moment},
        channel="balance",
    ),
    "verification": Frame(
        {"id": text, "status": text},
        {"phone_number": maybe(text), "expires_at": maybe(moment)},
        channel="verifications",
        open=True,
    ),
    "activity": Frame({"id": natural, "event": text}, {"created_at": moment}, channel="activity", open=True),
    "payment": Frame({"reference": text, "status": text}, {"amount": amount}, channel="payments", open=True),
    "pong": Frame({"seq": natural, "version": natural}),
    "resumed": Frame({"seq": natural, "unread": natural}),
    "reset": Frame({"seq": natural}),
    "error": Frame({"code": text}, {"detail": text}),
    "transaction": Frame({"id": natural, "user_id": natural}, channel="console", open=True),
    "alert": Frame({"id": natural, "rule": text, "severity": text}, channel="console", open=True),
    "health": Frame({}, channel="console", open=True),
}

FROM_CLIENT: Mapping[str, Frame] = {
    "auth": Frame({"token": secret}),
    "ping": Frame(),
    "subscribe": Frame({"channel": text}),
    "unsubscribe": Frame({"channel": text}),
    "resume": Frame({"after": natural}),
    "read": Frame({"ids": ids}),
    "ack": Frame({"seq": natural}),
}

CHANNELS = frozenset({"notifications", "balance", "activity", "payments", "verifications"})
CONSOLE = frozenset({"console"})


def check(frame: Mapping[str, Any]) -> Frame:
    """The declaration that a server's frame fulfils. Raises BadFrame."""
    declared = FROM_SERVER.get(frame.get("type", ""))
    if declared is None:
        raise BadFrame("unknown_type", f"No frame is declared as {frame.get('type')!r}")
    if refusal := declared.refusal(frame):
        raise BadFrame("bad_frame", f"{frame['type']}: {refusal}")
    return declared


def topic(frame: Mapping[str, Any]) -> str:
    """The narrow channel of one object: `verification:{id}` for that verification's frames, else ""."""
    return f"verification:{frame['id']}" if frame["type"] == "verification" else ""


def parse(data: str | None) -> dict[str, Any]:
    """A client's frame. Raises BadFrame with a code and a sentence for the client."""
    if data is None or len(data) > MAX_CHARACTERS:
        raise BadFrame("bad_frame", "Send JSON objects as text, of up to 16,384 characters.")
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadFrame("bad_frame", "This is not JSON.") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise BadFrame("bad_frame", "A frame is an object with a type.")
    declared = FROM_CLIENT.get(frame["type"])
    if declared is None:
        raise BadFrame("unknown_type", f"The types are {', '.join(FROM_CLIENT)}.")
    if refusal := declared.refusal(frame):
        raise BadFrame("bad_frame", f"{frame['type']}: {refusal}.")
    return frame


def verification_of_channel(channel: str) -> UUID | None:
    """The id in `verification:{id}`. None for another channel."""
    kind, _, given = channel.partition(":")
    try:
        return UUID(given) if kind == "verification" else None
    except ValueError:
        return None


def iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


# Builders: what other modules call.


def notification(rendered: Mapping[str, Any], *, unread: int | None = None) -> dict[str, Any]:
    """`rendered`: `selectors.render`'s shape. Its `type` travels as `notification_type`."""
    body = {name: value for name, value in rendered.items() if name != "type"}
    body["created_at"] = iso(body["created_at"]) if isinstance(body["created_at"], datetime) else body["created_at"]
    badge = {} if unread is None else {"unread": unread}
    texts = {name: str(body[name]) for name in ("title", "message", "link", "icon")}
    return {**body, **texts, **badge, "type": "notification", "notification_type": rendered["type"]}


def balance_update(
    *, balance: int, held: int, version: int, now: datetime, transaction: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Amounts in cents. `transaction`: the journal row behind it (primitives), None when only a hold changed."""
    return {
        "type": "balance_update",
        "balance": money.to_text(balance),
        "available": money.to_text(balance - held),
        "version": version,
        "transaction": dict(transaction) if transaction else None,
        "timestamp": iso(now),
    }


def verification(summary: Mapping[str, Any]) -> dict[str, Any]:
    """`summary`: `verifications.selectors.summary_frame`."""
    return {**summary, "type": "verification"}


def unread(*, unread: int, seq: int, **changed: Any) -> dict[str, Any]:
    """`changed`: `read=[ids]`, `hidden=[ids]` or `stale=True`."""
    return {"type": "unread", "unread": unread, "seq": seq, **changed}


def error(code: str, detail: str = "") -> dict[str, Any]:
    return {"type": "error", "code": code, **({"detail": detail} if detail else {})}
