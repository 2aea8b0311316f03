"""Circuit breakers whose state all processes share through Redis. Why not a library: docs/decisions/001-breaker.md.

    purchases = breaker("textverified:purchase:whatsapp", counts=is_outage)
    with purchases.admit() as admission:     # raises Open, before anything is written
        row = write_order()
        number = admission.call(purchase)    # records how the call goes
    with purchases.calling():                # never refuses, and records the same
        number = purchase()

A name is `vendor:operation`, or `vendor:operation:part` for one part of it, such as a service. Closed: all pass. Open
after BREAKER_FAILURES failures in a row that concern at least BREAKER_SUBJECTS different subjects (numbers, services):
`admit` refuses for BREAKER_RESET_SECONDS. Then half-open: `admit` lets one trial through at a time, whose answer closes
the breaker or opens it again; a trial that is not made is released. A part opens by its own failures alone, is refused
while the whole is open too, and is one subject of the whole: docs/decisions/017-a-breaker-for-each-operation.md.
Without Redis each process keeps its own state; a call waits at most 250 ms for Redis, and not at all for the next
seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeVar

import structlog
from django.conf import settings
from redis import Redis, RedisError

from config.lib import metrics
from config.lib.redis.client import client
from config.lib.redis.guard import Guard, RedisPaused

log = structlog.get_logger(__name__)
T = TypeVar("T")
StateName = Literal["closed", "open", "half_open"]

_REDIS_SECONDS = 0.1  # to connect, and again to answer: below the 250 ms that a hint may cost
_REDIS_PAUSE_SECONDS = 5.0
_KEEP_SECONDS = 86_400
_PROBE_GRACE_SECONDS = 5.0
_LEVELS = {"closed": 0, "half_open": 1, "open": 2}

# KEYS: one hash {failures, opened_at, probe_until, subjects, "subject:NAME"} each, a part before its whole.
# ARGV: operation, now, failures to open, reset, probe, keep, then for each key: the least number of subjects, and the
# subjects of this failure, with line breaks between them ("" is one that nobody else is).
# Answers {granted}, then {failures, opened_at, probe_until} for each key: the state after it, times as text, 0 for
# none.
_SCRIPT = """
local op, now, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local reset, probe, keep = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local rows, granted = {}, 1
for i, key in ipairs(KEYS) do
  local row = redis.call('HMGET', key, 'failures', 'opened_at', 'probe_until')
  local failures, opened, until_ = tonumber(row[1] or '0'), tonumber(row[2] or '0'), tonumber(row[3] or '0')
  rows[i] = {failures, opened, until_, row[1]}
  if opened > 0 and (now < opened + reset or now < until_) then granted = 0 end
end
local answer, part_open = {op == 'check' and granted or 1}, false
for i, key in ipairs(KEYS) do
  local failures, opened, until_, exists = unpack(rows[i])
  local changed, was_open = false, opened > 0
  if op == 'success' then
    if exists then redis.call('DEL', key) end
    failures, opened, until_ = 0, 0, 0
  elseif op == 'check' then
    changed = granted == 1 and was_open
    if changed then until_ = now + probe end
  elseif op == 'release' or (op == 'failure' and part_open) then
    changed, until_ = until_ > 0, 0
  elseif op == 'failure' then
    changed, failures, until_ = true, failures + 1, 0
    if was_open then
      if now >= opened + reset then opened = now end
    else
      local least, subjects = tonumber(ARGV[5 + 2 * i]), 0
      for name in string.gmatch(ARGV[6 + 2 * i] .. '\\n', '([^\\n]*)\\n') do
        if name == '' or redis.call('HSETNX', key, 'subject:' .. name, 1) == 1 then subjects = subjects + 1 end
      end
      subjects = redis.call('HINCRBY', key, 'subjects', subjects)
      if failures >= most and subjects >= least then opened = now end
    end
  end
  part_open = was_open
  if changed then
    redis.call('HSET', key, 'failures', failures, 'opened_at', string.format('%.3f', opened),
      'probe_until', string.format('%.3f', until_))
    redis.call('EXPIRE', key, keep)
  end
  answer[#answer + 1] = tostring(failures)
  answer[#answer + 1] = string.format('%.3f', opened)
  answer[#answer + 1] = string.format('%.3f', until_)
end
return answer
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
    subjects: frozenset[str] = frozenset()  # known only to a process alone


class Breaker:
    """`counts` says which exceptions are failures; any other is an answer. `clock` gives seconds since 1970.

    `subjects`: the least number of different ones that must fail for it to open. `whole`: what this one is a part of.
    """

    def __init__(
        self,
        name: str,
        *,
        counts: Callable[[BaseException], bool],
        clock: Callable[[], float] = time.time,
        subjects: int = 1,
        whole: Breaker | None = None,
    ) -> None:
        self.name = name
        self._counts = counts
        self._clock = clock
        self._subjects = subjects
        self._whole = whole
        self._lock = threading.Lock()
        self._local = _Row()
        self._was: StateName = "closed"

    @contextmanager
    def admit(self) -> Iterator[Admission]:
        """Admit one call, which the block makes by `Admission.call` or does not make. Raises Open.

        A block that ends without having begun the call releases the trial of a half-open breaker.
        """
        self.check()
        admission = Admission(self)
        try:
            yield admission
        finally:
            if not admission.begun:
                self.release()

    def check(self) -> None:
        """Raise Open where the breaker refuses. Half-open it grants one trial: call then, or `release` it."""
        rows, granted, _ = self._apply("check")
        if not granted:
            breaker, wait = max(
                ((breaker, breaker._wait(row)) for breaker, row in zip(self._chain, rows, strict=True)),
                key=lambda pair: pair[1],
            )
            raise Open(breaker.name, retry_after=wait)

    def call(self, work: Callable[[], T], *, subject: str = "") -> T:
        """Return what `work` returns, inside `calling`."""
        with self.calling(subject=subject):
            return work()

    @contextmanager
    def calling(self, *, subject: str = "") -> Iterator[None]:
        """Record how the call in the block goes: a failure where it raises what `counts` counts, else a success.

        Does not ask whether the breaker is open: `check` does.
        """
        try:
            yield
        except Exception as error:
            if self._counts(error):
                self.failure(subject)
            else:
                self.success()
            raise
        except BaseException:
            self.release()
            raise
        self.success()

    def success(self) -> None:
        """The other side answered, whatever it said."""
        self._apply("success")

    def failure(self, *subjects: str) -> None:
        """No answer, about these numbers or services; without any, about one that nobody else asks about."""
        self._apply("failure", subjects or ("",))

    def release(self) -> None:
        """The trial that `check` handed out is not going to be made."""
        self._apply("release")

    def state(self) -> State:
        """Its own state: a part may be closed while its whole is open."""
        rows, _, shared = self._apply("state")
        return self._state(rows[0], shared=shared)

    def _state(self, row: _Row, *, shared: bool) -> State:
        return State(
            name=self.name,
            state=self._named(row),
            failures=row.failures,
            retry_after=self._wait(row),
            shared=shared,
        )

    @property
    def _chain(self) -> tuple[Breaker, ...]:
        return (self,) if self._whole is None else (self, self._whole)

    def _apply(self, operation: str, subjects: Sequence[str] = ()) -> tuple[list[_Row], bool, bool]:
        """One step of it and its whole, atomically: in Redis, else here. What Redis says is kept for when it goes.

        The rows after it, whether a check may pass, and whether the state is shared.
        """
        now, chain = self._clock(), self._chain
        told = [(breaker._subjects, subjects if breaker is self else (self.name,)) for breaker in chain]
        with self._lock, _Maybe(self._whole):
            found = _in_redis([breaker.name for breaker in chain], operation, now, told)
            if found is None:
                rows, granted = _step([breaker._local for breaker in chain], operation, now, told)
            else:
                rows, granted = found
            for breaker, row in zip(chain, rows, strict=True):
                breaker._local = row
                breaker._announce(row)
        return rows, granted, found is not None

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
        if state == self._was == "closed" and self._whole is not None:
            return  # a service that never failed needs no series of its own
        metrics.breaker_state.labels(*_labels(self.name)).set(_LEVELS[state])
        if state != self._was:
            log.warning("breaker_changed", breaker=self.name, state=state, was=self._was, failures=row.failures)
            self._was = state


class Admission:
    """What `Breaker.admit` gives: the call that may be made."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self.begun = False

    def call(self, work: Callable[[], T], *, subject: str = "") -> T:
        """Return what `work` returns, and record its outcome as `Breaker.call` does."""
        self.begun = True
        return self._breaker.call(work, subject=subject)

    def begin(self) -> None:
        """Take the call as made: its outcome is recorded by `success` or `failure` of the breaker."""
        self.begun = True


class _Maybe:
    """The lock of a breaker, where there is one."""

    def __init__(self, breaker: Breaker | None) -> None:
        self._lock = None if breaker is None else breaker._lock

    def __enter__(self) -> None:
        if self._lock is not None:
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()


def breaker(name: str, *, counts: Callable[[BaseException], bool]) -> Breaker:
    """The breaker of that name, `vendor:operation` or `vendor:operation:part`, one a process."""
    return _breaker(name, counts, settings.BREAKER_SUBJECTS)


_made: dict[str, Breaker] = {}


@lru_cache(maxsize=4096)  # more services than any vendor has
def _breaker(name: str, counts: Callable[[BaseException], bool], subjects: int) -> Breaker:
    vendor, operation, part = _labels(name)
    if part:
        made = Breaker(name, counts=counts, whole=_breaker(f"{vendor}:{operation}", counts, subjects))
    else:
        made = Breaker(name, counts=counts, subjects=subjects)
    _made[name] = made
    return made


def names_in_use() -> set[str]:
    """The breakers that this process has asked, and those that have counted a failure anywhere. For people: slow."""
    return {*_made, *_names_in_redis()}


def states(names: Iterable[str]) -> list[State]:
    """How these breakers stand, by name, in one question to Redis."""
    found = sorted(set(names))
    rows = _in_redis(found, "state", time.time(), [(1, ())] * len(found)) if found else None
    if rows is None:
        return [_named_state(name, _made[name]._local if name in _made else _Row(), shared=False) for name in found]
    return [_named_state(name, row, shared=True) for name, row in zip(found, rows[0], strict=True)]


def _named_state(name: str, row: _Row, *, shared: bool) -> State:
    return Breaker(name, counts=bool)._state(row, shared=shared)


def _labels(name: str) -> tuple[str, str, str]:
    vendor, operation, part = (*name.split(":", 2), "", "")[:3]
    return vendor, operation, part


def _step(
    rows: Sequence[_Row], operation: str, now: float, told: Sequence[tuple[int, Sequence[str]]]
) -> tuple[list[_Row], bool]:
    """The script's rules, for a process alone."""
    reset = settings.BREAKER_RESET_SECONDS
    granted = operation != "check" or not any(
        row.opened_at and (now < row.opened_at + reset or now < row.probe_until) for row in rows
    )
    after: list[_Row] = []
    part_open = False
    for row, (least, subjects) in zip(rows, told, strict=True):
        if operation == "success":
            after.append(_Row())
        elif operation == "check":
            trial = granted and row.opened_at
            after.append(replace(row, probe_until=now + _probe_seconds()) if trial else row)
        elif operation == "release" or (operation == "failure" and part_open):
            after.append(replace(row, probe_until=0.0))
        elif operation == "failure":
            after.append(_failed(row, now, least, subjects))
        else:
            after.append(row)
        part_open = bool(row.opened_at)
    return after, granted


def _failed(row: _Row, now: float, least: int, subjects: Sequence[str]) -> _Row:
    failures = row.failures + 1
    if row.opened_at:
        opens = now >= row.opened_at + settings.BREAKER_RESET_SECONDS
        return _Row(failures, now if opens else row.opened_at)
    known = row.subjects | {subject or f"\n{failures}" for subject in subjects}
    opens = failures >= settings.BREAKER_FAILURES and len(known) >= least
    return _Row(failures, now if opens else 0.0, subjects=known)


_redis_guard = Guard(pause_seconds=_REDIS_PAUSE_SECONDS)


def _in_redis(
    names: Sequence[str], operation: str, now: float, told: Sequence[tuple[int, Sequence[str]]]
) -> tuple[list[_Row], bool] | None:
    """The state after the step, None where Redis does not answer."""
    arguments: list[Any] = [operation, f"{now:.3f}", settings.BREAKER_FAILURES, settings.BREAKER_RESET_SECONDS]
    arguments += [_probe_seconds(), _KEEP_SECONDS]
    for least, subjects in told:
        arguments += [least, "\n".join(subjects[:least])]  # as many as it takes
    try:
        with _redis_guard:
            answer: Any = _client().eval(_SCRIPT, len(names), *(_key(name) for name in names), *arguments)
    except RedisPaused:
        return None
    except (RedisError, OSError) as error:
        log.warning("breaker_alone", breaker=names[0], error=type(error).__name__)
        return None
    granted, *fields = answer
    rows = [
        _Row(int(failures), float(opened_at), float(probe_until))
        for failures, opened_at, probe_until in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    ]
    return rows, granted == 1


def _names_in_redis() -> list[str]:
    start = _key("")
    try:
        with _redis_guard:
            keys = list(_client().scan_iter(match=f"{start}*", count=1000))
    except (RedisError, OSError):
        return []
    return [key.decode(errors="replace").removeprefix(start) for key in keys]


def _key(name: str) -> str:
    return f"{settings.CACHES['default'].get('KEY_PREFIX', '')}:breaker:{name}"


def _client() -> Redis:
    return client(connect_seconds=_REDIS_SECONDS, answer_seconds=_REDIS_SECONDS)


def _probe_seconds() -> float:
    """How long a trial may take before another is let through: it may never come back."""
    return float(settings.PROVIDER_TIMEOUT_SECONDS) + _PROBE_GRACE_SECONDS
