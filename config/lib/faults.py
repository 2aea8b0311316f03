"""Named points at which a drill kills the process, as a power cut would: docs/decisions/007-fault-points.md.

    faults.point("buy.reserved")          # the process ends here, if this point is armed
    faults.committed("sale.charged")      # the same, first thing after the open transaction has committed

The settings arm one from FAULT_POINT ("name", or "name:3" for the third pass), in development alone. Unarmed, a point
costs a look into an empty dict.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from functools import partial

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

# What has happened when the point is reached, and what has not.
POINTS = {
    # purchase
    "buy.reserved": "verification and hold are committed; the provider has not been asked",
    "buy.answered": "the provider has sold or refused; nothing of it is written",
    "sale.charging": "charge, state and events are written, not committed",
    "sale.charged": "the charge is committed; nobody was told by socket",
    "sale.failing": "release, state and events are written, not committed",
    "recover.claimed": "recovery has taken a row; the provider has not been asked",
    "recover.answered": "the provider has answered recovery's order; nothing of it is written",
    # a message
    "message.verified": "the provider's push is genuine; nothing of it is written",
    "poll.claimed": "due rows have their next turn; the provider has not been asked",
    "poll.answered": "the provider has answered the poll; nothing of it is written",
    "end.completing": "message, state and events are written, not committed",
    "end.completed": "the code is committed; nobody was told by socket",
    # ending
    "cancel.claimed": "the wish to cancel is committed; the provider has not been asked",
    "cancel.answered": "the provider has taken the number back; nothing of it is written",
    "expire.claimed": "the row is leased; the last look has not been taken",
    "expire.fetched": "the last look found no code; the number runs on at the provider",
    "expire.cancelled": "the provider has taken the number back; nothing of it is written",
    "refund.posted": "the journal has the refund's money, the refund has no row; not committed",
    "refund.made": "the refund has its row; not committed",
    "end.ending": "state, refund and events are written, not committed",
    "end.ended": "end and refund are committed; nobody was told by socket",
    "end.returned": "the provider has given our cost back for an ended number; that is not written",
    # top-up
    "topup.created": "the payment is committed; the gateway has not been asked",
    "topup.opened": "the gateway has opened a checkout; its id is not written",
    "topup.saved": "the checkout's id is committed; the customer has no answer",
    "event.stored": "the gateway's event is committed; it is not applied",
    "event.applied": "what the event says is committed; the event does not say so",
    "settle.answered": "the gateway has said how the payment stands; nothing of it is written",
    "check.claimed": "the regular check has claimed a payment; the gateway has not been asked",
    "check.answered": "the gateway has answered the regular check; nothing of it is written",
    "check.closed": "the gateway has expired the checkout; the payment is still initiated",
    "topup.crediting": "state, credit and events are written, not committed",
    "topup.credited": "the credit is committed; nobody was told by socket",
}

_SPEC = re.compile(r"([a-z]+\.[a-z]+)(?::([1-9][0-9]{0,5}))?")
_armed: dict[str, int] = {}  # name -> passes left, this one included
_lock = threading.Lock()


def point(name: str) -> None:
    """Kill this process here, if `name` is armed and this is the pass that was asked for."""
    if name not in _armed:
        return
    with _lock:
        _armed[name] -= 1
        last = _armed[name] == 0
    if last:
        os.kill(os.getpid(), signal.SIGKILL)


def committed(name: str) -> None:
    """Do the same once the open transaction has committed, before the callbacks that are registered after this call."""
    if name in _armed:
        transaction.on_commit(partial(point, name))


def arm(spec: str, *, allowed: bool) -> None:
    """Arm what FAULT_POINT says, and nothing else; empty disarms. Raises ImproperlyConfigured."""
    _armed.clear()
    if not spec:
        return
    if not allowed:
        raise ImproperlyConfigured("FAULT_POINT kills processes on purpose: it needs DEBUG. Unset it.")
    match = _SPEC.fullmatch(spec)
    if match is None or match[1] not in POINTS:
        raise ImproperlyConfigured(f"FAULT_POINT is {spec!r}: write name or name:nth, with one of {', '.join(POINTS)}.")
    _armed[match[1]] = int(match[2] or 1)
