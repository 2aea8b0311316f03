"""Circuit breakers whose state all processes share through Redis. Why not a library: docs/decisions/001-breaker.md.

    guard = breaker("provider:purchase", counts=is_outage)
    guard.check()                     # raises Open, before anything is written
    number = guard.call(purchase)     # never refuses; tells the breaker how it went

Closed: all pass. Open after BREAKER_FAILURES failures in a row: `check` refuses for BREAKER_RESET_SECONDS. Then
half-open: `check` lets one through at a time, whose answer closes the breaker or opens it again. Without Redis each
process keeps its own state; a call waits at most 250 ms for Redis, and not at all for the next seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeVar

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.lib import metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")
StateName = Literal["closed", "open", "half_open"]

_REDIS_SECONDS = 0.1  # to connect, and again to answer: below the 250 ms that a hint may cost
_REDIS_PAUSE_SECONDS = 5.0
_KEEP_SECONDS = 86_400
_PROBE_GRACE_SECONDS = 5.0
_LEVELS = {"closed": 0, "half_open": 1, "open": 2}

# KEYS[1] hash {failures, opened_at, probe_until}; ARGV: operation, now, failures to open, reset, probe, keep.
# Answers {failures, opened_at, probe_until, granted}: the state after it, times as text, 0 for none.
_SCRIPT = """
local key, op, now = KEYS[1], ARGV[1], tonumber(ARGV[2])
local most, reset, probe = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local row = redis.call('HMGET', key, 'failures', 'opened_at', 'probe_until')
local failures, opened, until_ = tonumber(row[1] or '0'), tonumber(row[2] or '0'), tonumber(row[3] or '0')
local granted = 1
if op == 'success' then
  if row[1] then redis.call('DEL', key) end
  return {'0', '0', '0', 1}
end
local changed = op ~= 'state'
if op == 'check' then
  changed = opened > 0 and now >= opened + reset and now >= until_
  if changed then until_ = now + probe elseif opened > 0 then granted = 0 end
elseif op == 'release' then until_ = 0
elseif op == 'failure' then
  failures, until_ = failures + 1, 0
  if (opened == 0 and failures >= most) or (opened > 0 and now >= opened + reset) then opened = now end
end
if changed then
  redis.call('HSET', key, 'failures', failures, 'opened_at', string.format('%.3f', opened),
    'probe_until', string.format('%.3f', until_))
  redis.call('EXPIRE', key, ARGV[6])
end
return {tostring(failures), string.format('%.3f', opened), string.format('%.3f', until_), granted}
"""


class Open(Exception):
    """The breaker refuses. `retry_after` in seconds."""

    def __init__(self, name: str, *, retry_after: float) -> None:
        super().__init__(f"{name} is open for {retry_after:.0f} s")
        self.name = name
        self.retry_after = retry_after


@dataclass(frozen=True)
class State:
    """For people: the console and health. `shared` is false while Redis does not answer and this process is alone."""

    name: str
    state: StateName
    failures: int
    retry_after: float
    shared: bool


@dataclass(frozen=True)
class _Row:
    failures: int = 0
    opened_at: float = 0.0
    probe_until: float = 0.0
    granted: bool = True


class Breaker:
    """`counts` says which exceptions are failures; any other is an answer. `clock` gives seconds since 1970."""

    def __init__(
        self,
        name: str,
        *,
        counts: Callable[[BaseException], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._counts = counts
        self._clock = clock
        self._lock = threading.Lock()
        self._local = _Row()
        self._was: StateName = "closed"

    def check(self) -> None:
        """Raises Open. Half-open, it hands out the one trial: then `call` or `release` it."""
        row, _ = self._apply("check")
        if not row.granted:
            raise Open(self.name, retry_after=self._wait(row))

    def call(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises, counted. Does not ask whether the breaker is open: `check` does."""
        try:
            result = work()
        except Exception as error:
            if self._counts(error):
                self.failure()
            else:
                self.success()
            raise
        except BaseException:
            self.release()
            raise
        self.success()
        return result

    def success(self) -> None:
        """The other side answered, whatever it said."""
        self._apply("success")

    def failure(self) -> None:
        self._apply("failure")

    def release(self) -> None:
        """The trial that `check` handed out is not going to be made."""
        self._apply("release")

    def state(self) -> State:
        row, shared = self._apply("state")
        return State(
            name=self.name,
            state=self._named(row),
            failures=row.failures,
            retry_after=self._wait(row),
            shared=shared,
        )

    def _apply(self, operation: str) -> tuple[_Row, bool]:
        """One step, atomically: in Redis, else here. What Redis says is kept here for when it goes."""
        now = self._clock()
        with self._lock:
            row, shared = _in_redis(self.name, operation, now), True
            if row is None:
                row, shared = _step(self._local, operation, now), False
            self._local = row
            self._announce(row)
        return row, shared

    def _named(self, row: _Row) -> StateName:
        if not row.opened_at:
            return "closed"
        return "open" if self._clock() < row.opened_at + settings.BREAKER_RESET_SECONDS else "half_open"

    def _wait(self, row: _Row) -> float:
        """Seconds until another may try: the end of the pause, or of the trial that runs."""
        if not row.opened_at:
            return 0.0
        return max(0.0, max(row.opened_at + settings.BREAKER_RESET_SECONDS, row.probe_until) - self._clock())

    def _announce(self, row: _Row) -> None:
        state = self._named(row)
        metrics.breaker_state.labels(self.name).set(_LEVELS[state])
        if state != self._was:
            log.warning("breaker_changed", breaker=self.name, state=state, was=self._was, failures=row.failures)
            self._was = state


def breaker(name: str, *, counts: Callable[[BaseException], bool]) -> Breaker:
    """The breaker of that name, one a process."""
    return _breaker(name, counts)


@lru_cache(maxsize=32)
def _breaker(name: str, counts: Callable[[BaseException], bool]) -> Breaker:
    return Breaker(name, counts=counts)


def _step(row: _Row, operation: str, now: float) -> _Row:
    """The script's rules, for a process alone."""
    reset = settings.BREAKER_RESET_SECONDS
    if operation == "success":
        return _Row()
    if operation == "release":
        return _Row(row.failures, row.opened_at)
    if operation == "failure":
        failures = row.failures + 1
        opens = failures >= settings.BREAKER_FAILURES if not row.opened_at else now >= row.opened_at + reset
        return _Row(failures, now if opens else row.opened_at)
    if operation == "check" and row.opened_at:
        if now < row.opened_at + reset or now < row.probe_until:
            return _Row(row.failures, row.opened_at, row.probe_until, granted=False)
        return _Row(row.failures, row.opened_at, now + _probe_seconds())
    return _Row(row.failures, row.opened_at, row.probe_until)


_redis_down_until = 0.0


def _in_redis(name: str, operation: str, now: float) -> _Row | None:
    """The state after the step, None where Redis does not answer."""
    global _redis_down_until
    if time.monotonic() < _redis_down_until:
        return None
    key = f"{settings.CACHES['default'].get('KEY_PREFIX', '')}:breaker:{name}"
    arguments = [operation, f"{now:.3f}", settings.BREAKER_FAILURES, settings.BREAKER_RESET_SECONDS]
    try:
        failures, opened_at, probe_until, granted = _client(settings.REDIS_URL).eval(
            _SCRIPT, 1, key, *arguments, _probe_seconds(), _KEEP_SECONDS
        )
    except (redis.RedisError, OSError) as error:
        _redis_down_until = time.monotonic() + _REDIS_PAUSE_SECONDS
        log.warning("breaker_alone", breaker=name, error=type(error).__name__)
        return None
    return _Row(int(failures), float(opened_at), float(probe_until), granted=granted == 1)


@lru_cache(maxsize=4)
def _client(url: str) -> Any:
    """One round trip a step, no second try. redis-py's pool is fork-safe by itself."""
    return redis.Redis.from_url(
        url, socket_connect_timeout=_REDIS_SECONDS, socket_timeout=_REDIS_SECONDS, retry=Retry(NoBackoff(), 0)
    )


def _probe_seconds() -> float:
    """How long a trial may take before another is let through: it may never come back."""
    return float(settings.PROVIDER_TIMEOUT_SECONDS) + _PROBE_GRACE_SECONDS
