# ruff: noqa: INP001  Python finds it by its folder
"""Put on PYTHONPATH, this shifts the wall clock of a process by CLOCK_SHIFT_SECONDS, from its first line on.

What counts durations (monotonic clocks) stays: on a machine whose clock is wrong a second still takes a second.
"""

from __future__ import annotations

import datetime
import os
import time
from typing import Any

_SHIFT = float(os.environ.get("CLOCK_SHIFT_SECONDS", "0"))
_real, _time = datetime.datetime, time.time


class _Kind(type):
    """What C code made is a datetime too."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _real)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, _real)


class _Shifted(_real, metaclass=_Kind):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _real.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return _real.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


if _SHIFT:
    time.time = lambda: _time() + _SHIFT
    datetime.datetime = _Shifted  # type: ignore[misc]
