"""Work through what is due, one claimed row after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from typing import TypeVar

from django.db.models import Model

from config.lib.metrics import rows_put_aside_total
from config.lib.postgres import limits
from config.lib.remote.errors import OutcomeUnknown, Throttled, Unavailable

log = logging.getLogger(__name__)
Row = TypeVar("Row", bound=Model)

# A run ends before the next one begins, and early where the gateway is silent: each question costs its time limit.
MOST, SECONDS, SILENT = 1000, 45.0, 3


def sweep(
    *,
    claim: Callable[[], Row | None],
    work: Callable[[Row], object],
    owner: Callable[[Row], Hashable] = lambda row: row.pk,
) -> int:
    """How many rows were worked on. `claim` commits, and postpones its row so that this run won't see it again.

    `work` may raise RemoteErrors and anything else: it is logged, and the row's next turn comes. Where somebody holds
    a row of an owner's locked, the other rows of that owner wait for their next turn too.
    """
    done = silent = 0
    locked: set[Hashable] = set()
    stop_at = time.monotonic() + SECONDS
    while done < MOST and silent < SILENT and time.monotonic() < stop_at:
        row = claim()
        if row is None:
            break
        if owner(row) in locked:
            rows_put_aside_total.labels(work=type(row).__name__.lower(), why="locked").inc()
            continue
        done += 1
        try:
            work(row)
            silent = 0
        except (Unavailable, Throttled, OutcomeUnknown) as error:
            silent += 1
            log.warning("%s %s waits: %s: %s", type(row).__name__, row.pk, type(error).__name__, error)
        except Exception as error:
            if limits.is_lock_timeout(error):
                locked.add(owner(row))
                rows_put_aside_total.labels(work=type(row).__name__.lower(), why="locked").inc()
                log.warning("%s %s waits: a row of its owner's is locked", type(row).__name__, row.pk)
                continue
            log.exception("%s %s could not be worked on", type(row).__name__, row.pk)
    return done
