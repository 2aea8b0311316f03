"""What a socket reads from the database: the state for `hello`, and what is missing for `resume`.

The position (the last numbers of inbox and journal) is read first, so that what is read after it can only be newer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from notifications.inbox import rendering, selectors
from notifications.realtime import frames
from verifications import selectors as verifications


@dataclass(frozen=True)
class Missed:
    """`frames` in the order to be sent, the last being `resumed` or `reset`; `seq` is where they lead to."""

    seq: int
    frames: list[frames.ServerFrame]


def hello(*, user_id: int) -> frames.Hello:
    """Read everything of one moment, by a single statement."""
    now = timezone.now()
    position = selectors.position_of(user=User(pk=user_id))
    return frames.hello(
        seq=position.seq,
        unread=position.unread,
        balance=position.balance,
        held=position.held,
        version=position.version,
        heartbeat=settings.HEARTBEAT_SECONDS,
        now=now,
    )


def missed(*, user_id: int, after: int, channels: Collection[str]) -> Missed:
    """Read the notifications above `after`, the balance and the open verifications, of the channels that are wanted.

    Above RESUME_LIMIT, and where the client is ahead of us (a restored database), a reset: it loads the list.
    """
    user = User.objects.get(pk=user_id)
    now = timezone.now()
    position = selectors.position_of(user=user)
    if not 0 <= position.seq - after <= settings.RESUME_LIMIT:
        return Missed(position.seq, [frames.Reset(seq=position.seq)])
    found: list[frames.ServerFrame] = []
    if "notifications" in channels:
        rows = selectors.after(user=user, seq=after).filter(seq__lte=position.seq)  # what is newer comes by itself
        found += [frames.notification(row) for row in rendering.render_all(rows, user=user)]
    if "balance" in channels:
        found.append(
            frames.balance_update(balance=position.balance, held=position.held, version=position.version, now=now)
        )
    if "verifications" in channels:
        open_ones = verifications.open_verifications(user=user)
        found += [frames.verification(verifications.summary_of(one)) for one in open_ones]
    return Missed(position.seq, [*found, frames.Resumed(seq=position.seq, unread=position.unread)])


def verification(*, user_id: int, verification_id: UUID) -> frames.Verification:
    """Read the state of one verification. Raises NotFound for another's."""
    found = verifications.verification_of(user=User(pk=user_id), verification_id=verification_id)
    return frames.verification(verifications.summary_of(found))
