"""Poll the provider for waiting numbers: often at first, then less, all together over one session."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache

from config.lib import faults
from config.lib.postgres.rows import columns
from config.lib.remote.breaker import Open
from config.lib.remote.errors import RemoteError
from config.lib.sweep import Rows
from verifications import providers
from verifications.models import Verification
from verifications.providers.base import Number
from verifications.services import end, provider_calls, receive
from verifications.services.postpone import postpone

log = logging.getLogger(__name__)

SWEEP_SECONDS = 20
PAUSE_KEY = "verifications:poll-paused-until"
_paused_until: dict[str, float] = {}  # this process's own memory, for when Redis is away

# Half the time between two runs: a number that is due before the middle of it is polled now, not after it. Each turn
# counts from the last one's due time, so that being early shortens no interval.
AHEAD_SECONDS = 0.5
# Due rows, locked past each other, get their next turn: young ones every POLL_INTERVAL_SECONDS, older ones ever less,
# none later than its end.
_CLAIM = """
UPDATE verifications_verification AS v
SET polls = v.polls + 1,
    next_poll_at = LEAST(
        GREATEST(%(now)s, due.next_poll_at) + make_interval(secs => CASE
            WHEN due.age < %(fast_for)s THEN %(interval)s
            ELSE LEAST(%(slowest)s, %(interval)s * due.age / %(fast_for)s) * (0.8 + 0.4 * random())
        END),
        v.expires_at + make_interval(secs => %(grace)s))
FROM (
    SELECT id, next_poll_at, EXTRACT(epoch FROM %(now)s - created_at)::float8 AS age
    FROM verifications_verification
    WHERE status = 'waiting' AND next_poll_at <= %(now)s + make_interval(secs => %(ahead)s)
      AND expires_at > %(now)s - make_interval(secs => %(grace)s)
    ORDER BY next_poll_at
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
) AS due
WHERE v.id = due.id
RETURNING {columns}
""".format(columns=columns(Verification, "v"))  # noqa: S608


def poll_due(*, now: datetime, report: Callable[[Sequence[Verification]], object] = end.report_many) -> int:
    """Ask the provider about every number that is due. Return how many were asked about.

    `report` gets those that ended there and whose cost the provider returns once that is reported.
    """
    parameters = {
        "now": now,
        "ahead": AHEAD_SECONDS,
        "interval": float(settings.POLL_INTERVAL_SECONDS),
        "fast_for": float(settings.POLL_FAST_FOR_SECONDS),
        "slowest": float(settings.POLL_MAX_INTERVAL_SECONDS),
        "grace": float(settings.EXPIRY_GRACE_SECONDS),
        "batch": settings.POLL_BATCH,
    }
    started, asked = time.monotonic(), 0
    while time.monotonic() - started < SWEEP_SECONDS:
        if max(_paused_until.get("all", 0), cache.get(PAUSE_KEY) or 0) > now.timestamp():
            break
        try:
            with providers.operation_breaker("fetch").admit() as admission:
                claimed = list(Verification.objects.raw(_CLAIM, parameters))
                if claimed:
                    admission.begin()
                    _poll(claimed, now, report)
        except Open:
            break
        asked += len(claimed)
        if len(claimed) < settings.POLL_BATCH:
            break
    return asked


def _poll(rows: list[Verification], now: datetime, report: Callable[[Sequence[Verification]], object]) -> None:
    faults.point("poll.claimed")
    answers = provider_calls.fetch_many(rows)
    faults.point("poll.answered")
    if wait := provider_calls.longest_wait(answers):
        # The provider throttles: all wait, in this process and (by Redis) in the others.
        until = (now + timedelta(seconds=max(1.0, wait))).timestamp()
        _paused_until["all"] = max(until, _paused_until.get("all", 0))
        cache.set(PAUSE_KEY, until, timeout=int(wait) + 60)
        log.warning("Polling pauses for %.1f s: the provider throttles us", wait)
    failed = [answer for answer in answers.values() if isinstance(answer, RemoteError)]
    if failed:
        log.warning("%s of %s polls brought nothing, such as: %r", len(failed), len(rows), failed[0])
    numbers = {
        pk: answer
        for pk, answer in answers.items()
        if isinstance(answer, Number) and (answer.messages or answer.state not in ("waiting", "unknown"))
    }
    unreported: list[Verification] = []
    changed = Rows[Verification](
        lambda row: receive.apply(verification=row, number=numbers[row.pk], now=now, report=unreported.append),
        label="poll",
        put_aside=lambda locked: postpone(locked, field="next_poll_at", now=now),
    )
    changed.in_threads([row for row in rows if row.pk in numbers])
    if unreported:
        report(unreported)
