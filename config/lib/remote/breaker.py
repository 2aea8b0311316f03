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
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

import structlog
from django.conf import settings

from config.lib import metrics
from config.lib.remote.breaker_state import Row, names_in_redis, step_alone, step_in_redis

log = structlog.get_logger(__name__)
T = TypeVar("T")
StateName = Literal["closed", "open", "half_open"]

_LEVELS = {"closed": 0, "half_open": 1, "open": 2}


class Open(Exception):
    """The breaker refuses. `retry_after` in seconds."""

    def __init__(self, name: str, *, retry_after: float) -> None:
        super().__init__(f"{name} is open for {retry_after:.0f} s")
        self.name = name
        self.retry_after = retry_after


@dataclass(frozen=True)
class State:
    """A breaker's state as people see it. `shared` is false while Redis does not answer and this process is alone."""

    name: str
    state: StateName
    failures: int
    retry_after: float
    shared: bool


class Breaker:
    """A circuit breaker. `counts` says which exceptions are failures; any other is an answer.

    `clock` gives seconds since 1970.

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
        self._local = Row()
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
        """Record an answer, whatever it says."""
        self._apply("success")

    def failure(self, *subjects: str) -> None:
        """Record a failure about these subjects; without any, about one of its own."""
        self._apply("failure", subjects or ("",))

    def release(self) -> None:
        """Give back the trial that `check` granted: the call is not made."""
        self._apply("release")

    def state(self) -> State:
        """Return its own state: a part may be closed while its whole is open."""
        rows, _, shared = self._apply("state")
        return self._state(rows[0], shared=shared)

    def _state(self, row: Row, *, shared: bool) -> State:
        return State(
            name=self.name,
            state=self._state_name(row),
            failures=row.failures,
            retry_after=self._wait(row),
            shared=shared,
        )

    @property
    def _chain(self) -> tuple[Breaker, ...]:
        return (self,) if self._whole is None else (self, self._whole)

    def _apply(self, operation: str, subjects: Sequence[str] = ()) -> tuple[list[Row], bool, bool]:
        """Take one step of it and its whole, in Redis, else here. What Redis says is kept for when it fails.

        Returns the rows after the step, whether a check is granted, and whether the state is shared.
        """
        now, chain = self._clock(), self._chain
        thresholds = [(breaker._subjects, subjects if breaker is self else (self.name,)) for breaker in chain]
        with self._lock, nullcontext() if self._whole is None else self._whole._lock:
            found = step_in_redis([breaker.name for breaker in chain], operation, now, thresholds)
            if found is None:
                rows, granted = step_alone([breaker._local for breaker in chain], operation, now, thresholds)
            else:
                rows, granted = found
            for breaker, row in zip(chain, rows, strict=True):
                breaker._local = row
                breaker._publish(row)
        return rows, granted, found is not None

    def _state_name(self, row: Row) -> StateName:
        if not row.opened_at:
            return "closed"
        return "open" if self._clock() < row.opened_at + settings.BREAKER_RESET_SECONDS else "half_open"

    def _wait(self, row: Row) -> float:
        """Return the seconds until another call may be tried: the end of the pause, or of the running trial."""
        if not row.opened_at:
            return 0.0
        return max(0.0, max(row.opened_at + settings.BREAKER_RESET_SECONDS, row.probe_until) - self._clock())

    def _publish(self, row: Row) -> None:
        state = self._state_name(row)
        if state == self._was == "closed" and self._whole is not None:
            return  # a service that never failed needs no series of its own
        metrics.breaker_state.labels(*_labels(self.name)).set(_LEVELS[state])
        if state != self._was:
            log.warning("breaker_changed", breaker=self.name, state=state, was=self._was, failures=row.failures)
            self._was = state


class Admission:
    """The call that `Breaker.admit` admitted."""

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


def breaker(name: str, *, counts: Callable[[BaseException], bool]) -> Breaker:
    """Return the breaker of that name, `vendor:operation` or `vendor:operation:part`, one a process."""
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
    """Return the breakers that this process has asked, and those that have counted a failure anywhere. Slow."""
    return {*_made, *names_in_redis()}


def states(names: Iterable[str]) -> list[State]:
    """Return the states of these breakers, sorted by name, with one call to Redis."""
    found = sorted(set(names))
    rows = step_in_redis(found, "state", time.time(), [(1, ())] * len(found)) if found else None
    if rows is None:
        return [_named_state(name, _made[name]._local if name in _made else Row(), shared=False) for name in found]
    return [_named_state(name, row, shared=True) for name, row in zip(found, rows[0], strict=True)]


def _named_state(name: str, row: Row, *, shared: bool) -> State:
    return Breaker(name, counts=bool)._state(row, shared=shared)


def _labels(name: str) -> tuple[str, str, str]:
    vendor, operation, part = (*name.split(":", 2), "", "")[:3]
    return vendor, operation, part
