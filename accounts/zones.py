"""Time zones by their IANA names."""

from __future__ import annotations

import zoneinfo
from functools import lru_cache


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Return all that this machine knows, sorted. Cached, since finding them reads hundreds of files."""
    return tuple(sorted(zoneinfo.available_timezones()))


def is_known(name: str) -> bool:
    return name in names()


def zone(name: str) -> zoneinfo.ZoneInfo:
    """Return the time zone of that name, UTC for one that this machine does not know."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")
