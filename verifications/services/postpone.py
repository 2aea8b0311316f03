"""Postpone verifications that another transaction holds locked, by a delay that doubles each time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from django.conf import settings
from django.db import connection

from verifications.models import Verification

# A row that is locked itself is skipped: it keeps the turn that its claim gave it.
_POSTPONE = """
UPDATE verifications_verification AS v
SET lock_failures = LEAST(v.lock_failures + 1, 30),
    {field} = %(now)s + make_interval(secs => LEAST(%(most)s, %(first)s * power(2, v.lock_failures)))
FROM (
    SELECT id FROM verifications_verification WHERE id = ANY(%(ids)s) AND {still}
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) AS free
WHERE v.id = free.id
"""
_STILL = {"next_poll_at": "status = 'waiting'", "next_recovery_at": "next_recovery_at IS NOT NULL"}
_STATEMENTS = {field: _POSTPONE.format(field=field, still=still) for field, still in _STILL.items()}


def postpone(
    rows: Sequence[Verification], *, field: Literal["next_poll_at", "next_recovery_at"], now: datetime
) -> None:
    """Set when each row is due again: after PUT_ASIDE_SECONDS, doubled each time, PUT_ASIDE_MAX_SECONDS at most."""
    with connection.cursor() as cursor:
        cursor.execute(
            _STATEMENTS[field],
            {
                "ids": [row.pk for row in rows],
                "now": now,
                "first": float(settings.PUT_ASIDE_SECONDS),
                "most": float(settings.PUT_ASIDE_MAX_SECONDS),
            },
        )
