"""Database work of the sockets: on threads of their own, a bounded number.

Channels' and asgiref's helpers run everything on one thread a process, where a wave of reconnects queues up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.REALTIME_THREADS, thread_name_prefix="realtime")


async def run(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call this on one of the threads. The connection it uses goes back to the pool."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), partial(_with_connection, work, args, kwargs))


def _with_connection(work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    close_old_connections()
    try:
        return work(*args, **kwargs)
    finally:
        close_old_connections()
