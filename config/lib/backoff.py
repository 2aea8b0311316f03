"""How long to wait before something is tried again.

_RETRY = Backoff(base=60, longest=6 * 3600)
next_attempt_at = now + timedelta(seconds=_RETRY.after(event.attempts))
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_MOST_DOUBLINGS = 64  # more would overflow a float, and `longest` is reached long before


@dataclass(frozen=True)
class Backoff:
    """Waits in seconds: `base` at first, ever longer, never more than `longest`.

    `jitter` is the share by which a wait may turn out shorter or longer (0.2: 80 to 120 %), so that those that failed
    together don't come back together.
    """

    base: float
    longest: float
    jitter: float = 0.0

    def after(self, failures: int) -> float:
        """Return the wait after so many failures in a row: `base` after the first, doubled by each further one."""
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        return self._spread(min(self.longest, self.base * 2.0**doublings))

    def at_age(self, seconds: float, *, share: float) -> float:
        """Return the wait of something that has been open for `seconds`: that share of them, `base` at least."""
        return self._spread(min(self.longest, max(self.base, seconds * share)))

    def _spread(self, seconds: float) -> float:
        return seconds * random.uniform(1 - self.jitter, 1 + self.jitter) if self.jitter else seconds
