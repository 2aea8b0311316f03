"""Work through what is due, one claimed row after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db.models import Model

from payments.gateways.base import OutcomeUnknown, Unavailable

log = logging.getLogger(__name__)
Row = TypeVar("Row", bound=Model)

# A run ends before the next one begins, and early where the gateway is silent: each question costs its time limit.
MOST, SECONDS, SILENT = 1000, 45.0, 3


def sweep(*, claim: Callable[[], Row | None], work: Callable[[Row], object]) -> int:
    """How many rows were worked on. `claim` commits, and postpones its row so that this run won't see it again.

    `work` may raise GatewayErrors and anything else: it is logged, and the row's next turn comes.
    """
    done = silent = 0
    stop_at = time.monotonic() + SECONDS
    while done < MOST and silent < SILENT and time.monotonic() < stop_at:
        row = claim()
        if row is None:
            break
        done += 1
        try:
            work(row)
            silent = 0
        except (Unavailable, OutcomeUnknown) as error:
            silent += 1
            log.warning("%s %s waits: %s: %s", type(row).__name__, row.pk, type(error).__name__, error)
        except Exception:
            log.exception("%s %s could not be worked on", type(row).__name__, row.pk)
    return done
