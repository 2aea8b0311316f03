"""How often a customer may do something in an hour, counted by the rows that it wrote.

Count while you hold a lock of that customer's (`wallet.lock_wallet`), so that several requests at once don't all fit
below the limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

HOUR = timedelta(hours=1)

# Times, newest first: a query for one column (of which one row is read), or a list.
Times = Sequence[datetime] | QuerySet[Any, datetime]


def seconds_to_wait(times: Times, *, limit: int, now: datetime, per: timedelta = HOUR) -> int:
    """Return in how many whole seconds another one fits below `limit` in `per`; 0 where it fits now.

    `times` says when it was done before, newest first; what is older than `per` doesn't count. With a limit
    of 0 nothing ever fits, and the answer is `per`.
    """
    if limit < 1:
        return math.ceil(per.total_seconds())
    decisive = next(iter(times[limit - 1 : limit]), None)  # of the newest `limit`, the one that leaves first
    if decisive is None or decisive <= now - per:
        return 0
    return max(1, math.ceil((decisive + per - now).total_seconds()))
