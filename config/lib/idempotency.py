"""What a request came to that carries an idempotency key."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class IdempotentResult:
    """The base of what such a service returns: subclasses name the row, as in `Purchase(verification, replayed=False)`.

    `replayed`: the key was answered before and this is that answer as it stands now; nothing was done.
    """

    replayed: bool
