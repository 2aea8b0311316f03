"""Background work on due rows: claim them, work on each, put aside those that another transaction holds locked.

    due = Payment.objects.filter(status="initiated", next_check_at__lte=now).order_by("next_check_at")
    rows = Rows(check, label="payment")
    sweep(claim=lambda: claim(due, lambda payment: {"next_check_at": later}), work=rows.one_by_one, seconds=45)

The rows of one customer are worked on one after the other: each of them needs that customer's wallet anyway. Where
another transaction holds a row of theirs for longer than a background connection waits, this one and all that are left
of the customer are put aside, so that a customer costs the others one such wait and one thread
(docs/decisions/014-one-sick-row.md).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet

from config.lib.metrics import rows_put_aside_total
from config.lib.postgres import limits
from config.lib.remote.errors import OutcomeUnknown, Throttled, Unavailable
from config.lib.threads import NoFreeThread, run_in_threads

log = logging.getLogger(__name__)
Row = TypeVar("Row", bound=Model)
SILENT = 3


def claim(due: QuerySet[Row], next_turn: Callable[[Row], Mapping[str, Any]], *, most: int = 1) -> list[Row]:
    """Lock up to `most` of the due rows, past those that others have locked, give each its next turn, and commit.

    `next_turn` returns the fields to write, among them when the row is due again: until then it is this run's alone,
    and after a crash it comes back by itself.
    """
    with transaction.atomic():
        rows = list(due.select_for_update(skip_locked=True, of=("self",))[:most])
        same: dict[tuple[tuple[str, Any], ...], list[Any]] = {}
        for row in rows:
            fields = next_turn(row)
            for name, value in fields.items():
                setattr(row, name, value)
            same.setdefault(tuple(fields.items()), []).append(row.pk)
        for written, ids in same.items():
            due.model._default_manager.filter(pk__in=ids).update(**dict(written))
    return rows


def sweep(
    *,
    claim: Callable[[], Sequence[Row]],
    work: Callable[[Sequence[Row]], int],
    seconds: float,
    most: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Claim and work until nothing is due, `most` rows are done, `seconds` are over or `stop` says so.

    `claim` commits, and returns no row twice. `work` returns how many rows it worked on; this returns their sum.
    """
    done, stop_at = 0, time.monotonic() + seconds
    while time.monotonic() < stop_at and (most is None or done < most) and not stop():
        rows = claim()
        if not rows:
            break
        done += work(rows)
    return done


@dataclass
class Rows(Generic[Row]):
    """Does `work` on rows, one after the other or several owners' at once. A failing row is logged and stops no other.

    `owner` says whose a row is. `put_aside` gets an owner's rows that can't be locked now, which the metric counts by
    `label`; one object never tries that owner again.
    """

    work: Callable[[Row], object]
    label: str
    owner: Callable[[Row], Hashable] = attrgetter("user_id")
    put_aside: Callable[[Sequence[Row]], object] | None = None
    _locked: set[Hashable] = field(default_factory=set, init=False)
    _unanswered: int = field(default=0, init=False)

    def one_by_one(self, rows: Sequence[Row]) -> int:
        """Work in this thread. Return how many rows were tried."""
        return sum(map(self._work_on, self._by_owner(rows)))

    def in_threads(self, rows: Sequence[Row]) -> int:
        """Work on several owners' rows at once. Return how many rows were tried.

        Where no thread gets free in time nothing is done: the rows come again at their next turn.
        """
        groups = self._by_owner(rows)
        if len(groups) < 2:
            return sum(map(self._work_on, groups))
        try:
            return run_in_threads(self._work_on, groups)
        except NoFreeThread as error:
            log.error("%s rows wait for their next turn: %s", len(rows), error)
            rows_put_aside_total.labels(work=self.label, why="no thread").inc(len(rows))
            return 0

    def vendor_is_silent(self) -> bool:
        """Return whether a vendor has left SILENT rows after each other without an answer: for `sweep(stop=…)`.

        Each further question would cost its time limit too.
        """
        return self._unanswered >= SILENT

    def _by_owner(self, rows: Sequence[Row]) -> list[tuple[Hashable, list[Row]]]:
        groups: dict[Hashable, list[Row]] = {}
        for row in rows:
            groups.setdefault(self.owner(row), []).append(row)
        return list(groups.items())

    def _work_on(self, owners_rows: tuple[Hashable, list[Row]]) -> int:
        owner, group = owners_rows
        if owner in self._locked:
            self._put_aside(group)
            return 0
        for number, row in enumerate(group):
            kind = type(row).__name__
            try:
                self.work(row)
                self._unanswered = 0
            except (Unavailable, Throttled, OutcomeUnknown) as error:
                self._unanswered += 1
                log.warning("%s %s waits: %s: %s", kind, row.pk, type(error).__name__, error)
            except Exception as error:
                if limits.is_lock_timeout(error):
                    self._locked.add(owner)
                    self._put_aside(group[number:])
                    return number + 1
                log.exception("%s %s could not be worked on", kind, row.pk)
        return len(group)

    def _put_aside(self, rows: list[Row]) -> None:
        kind = type(rows[0]).__name__
        rows_put_aside_total.labels(work=self.label, why="locked").inc(len(rows))
        log.warning("%s %s waits: a row of its owner's is locked; %s rows are put aside", kind, rows[0].pk, len(rows))
        if self.put_aside is None:
            return
        try:
            self.put_aside(rows)
        except Exception:
            log.exception("%s %s and the rows put aside with it keep their turn", kind, rows[0].pk)
