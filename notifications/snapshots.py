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
from notifications import frames, selectors
from wallet import selectors as wallets


@dataclass(frozen=True)
class Missed:
    """`frames` in the order to be told, the last being `resumed` or `reset`; `seq` is where they lead to."""

    seq: int
    frames: list[Mapping[str, Any]]


def hello(*, user_id: int) -> dict[str, Any]:
    """Everything of one moment: a single statement. `timestamp` orders it among the balances of one version."""
    now = timezone.now()
    row = User.objects.values("inbox__seq", "inbox__unread", "wallet__balance", "wallet__held", "wallet__version").get(
        pk=user_id
    )
    balance, held = row["wallet__balance"] or 0, row["wallet__held"] or 0
    return {
        "type": "hello",
        "seq": row["inbox__seq"] or 0,
        "unread": row["inbox__unread"] or 0,
        "balance": money.to_text(balance),
        "available": money.to_text(balance - held),
        "version": row["wallet__version"] or 0,
        "heartbeat": settings.HEARTBEAT_SECONDS,
        "timestamp": frames.iso(now),
    }


def missed(*, user_id: int, after: int, channels: Collection[str]) -> Missed:
    """The notifications above `after`, the balance and the open verifications, as far as their channels are wanted.

    Above RESUME_LIMIT, and where the client is ahead of us (a restored database), a reset: it loads the list.
    """
    user = User.objects.get(pk=user_id)
    now = timezone.now()
    inbox = selectors.inbox_of(user=user)
    if not 0 <= inbox.seq - after <= settings.RESUME_LIMIT:
        return Missed(inbox.seq, [{"type": "reset", "seq": inbox.seq}])
    told: list[Mapping[str, Any]] = []
    if "notifications" in channels:
        rows = selectors.after(user=user, seq=after)
        told += [frames.notification(shown) for shown in selectors.render_all(rows, user=user)]
    if "balance" in channels:
        wallet = wallets.balance_of(user=user)
        told.append(frames.balance_update(balance=wallet.balance, held=wallet.held, version=wallet.version, now=now))
    if "verifications" in channels:
        from verifications import selectors as verifications

        told += [
            frames.verification(verifications.summary_frame(one)) for one in verifications.open_verifications(user=user)
        ]
    seq = max([inbox.seq, *(frame["seq"] for frame in told if frame["type"] == "notification")])
    return Missed(seq, [*told, {"type": "resumed", "seq": seq, "unread": inbox.unread}])


def verification(*, user_id: int, verification_id: UUID) -> Mapping[str, Any]:
    """Raises NotFound for another's."""
    from verifications import selectors as verifications

    found = verifications.verification_of(user=User(pk=user_id), verification_id=verification_id)
    return verifications.summary_frame(found)
