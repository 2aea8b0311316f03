"""What a socket reads from the database. The position comes first: what is told after it can only be newer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from config.lib import money
from notifications.inbox import selectors
from notifications.realtime import frames
from verifications import selectors as verifications


@dataclass(frozen=True)
class Missed:
    """`frames` in the order to be told, the last being `resumed` or `reset`; `seq` is where they lead to."""

    seq: int
    frames: list[Mapping[str, Any]]


def hello(*, user_id: int) -> dict[str, Any]:
    """Everything of one moment: a single statement. `timestamp` orders it among the balances of one version."""
    now = timezone.now()
    position = selectors.position_of(user=User(pk=user_id))
    return {
        "type": "hello",
        "seq": position.seq,
        "unread": position.unread,
        "balance": money.to_text(position.balance),
        "available": money.to_text(position.balance - position.held),
        "version": position.version,
        "heartbeat": settings.HEARTBEAT_SECONDS,
        "timestamp": frames.iso(now),
    }


def missed(*, user_id: int, after: int, channels: Collection[str]) -> Missed:
    """The notifications above `after`, the balance and the open verifications, as far as their channels are wanted.

    Above RESUME_LIMIT, and where the client is ahead of us (a restored database), a reset: it loads the list.
    """
    user = User.objects.get(pk=user_id)
    now = timezone.now()
    position = selectors.position_of(user=user)
    if not 0 <= position.seq - after <= settings.RESUME_LIMIT:
        return Missed(position.seq, [{"type": "reset", "seq": position.seq}])
    told: list[Mapping[str, Any]] = []
    if "notifications" in channels:
        rows = selectors.after(user=user, seq=after).filter(seq__lte=position.seq)  # what is newer comes by itself
        told += [frames.notification(row) for row in selectors.render_all(rows, user=user)]
    if "balance" in channels:
        told.append(
            frames.balance_update(balance=position.balance, held=position.held, version=position.version, now=now)
        )
    if "verifications" in channels:
        mine = verifications.open_verifications(user=user)
        told += [frames.verification(verifications.summary_frame(one)) for one in mine]
    return Missed(position.seq, [*told, {"type": "resumed", "seq": position.seq, "unread": position.unread}])


def verification(*, user_id: int, verification_id: UUID) -> Mapping[str, Any]:
    """Raises NotFound for another's."""
    found = verifications.verification_of(user=User(pk=user_id), verification_id=verification_id)
    return verifications.summary_frame(found)
