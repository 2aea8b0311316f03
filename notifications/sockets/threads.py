"""Database work of the sockets, on a bounded number of threads of their own.

Channels' and asgiref's helpers run everything on one thread a process, where a wave of reconnects queues up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")


_executor = ThreadPoolExecutor(settings.REALTIME_THREADS, thread_name_prefix="realtime")  # starts them as needed


async def run_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns on one of the threads. The connection that it uses goes back to the pool."""

    def with_connection() -> T:
        close_old_connections()
        try:
            return work(*args, **kwargs)
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_executor, with_connection)
