"""The header Retry-After of a vendor's answer."""

from __future__ import annotations

import math

DEFAULT = 5.0


def retry_after(header: str | None, *, longest: float = 300.0) -> float:
    """Return the seconds that it names, 1 at least and `longest` at most; 5 where it names none."""
    try:
        seconds = float(header or DEFAULT)
    except ValueError:
        return DEFAULT
    return DEFAULT if math.isnan(seconds) else min(max(seconds, 1.0), longest)
