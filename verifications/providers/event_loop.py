"""The event loop of the adapters: one a process, in a thread of its own, behind synchronous functions.

Fork-safe: a forked child (Celery's prefork) starts a loop of its own at its first call.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from config.lib.remote.connections import release_connections

T = TypeVar("T")

_GRACE_SECONDS = 5.0  # coroutines end by their own limits; this is for a loop that died

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_closers: list[Callable[[], Coroutine[Any, Any, None]]] = []
_tasks: set[asyncio.Task[None]] = set()
# What the parent owned stays referenced: destroying it would take the parent's sockets out of the shared epoll.
_inherited: list[Any] = []


def run(work: Coroutine[Any, Any, T], *, limit: float) -> T:
    """Run `work` in the loop, and return what it returns. It has to end by itself within `limit` seconds.

    The thread waits without a database connection. Raises TimeoutError, and RuntimeError inside a transaction.
    """
    global _loop, _thread
    try:
        release_connections()
    except BaseException:
        work.close()
        raise
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="providers", daemon=True)
            _thread.start()
        loop = _loop
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(limit + _GRACE_SECONDS)
    except concurrent.futures.TimeoutError:
        future.cancel()
        raise


def at_close(closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Register a coroutine function that is awaited when the process ends."""
    _closers.append(closer)


def spawn(work: Coroutine[Any, Any, None]) -> None:
    """Start `work` in the running loop, without waiting for it. Call in the loop."""
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _after_fork() -> None:
    global _lock, _loop, _thread
    _inherited.append((_loop, _thread, list(_closers)))
    _lock, _loop, _thread = threading.Lock(), None, None
    _closers.clear()


def _stop() -> None:
    loop, thread = _loop, _thread
    if loop is None or thread is None:
        return

    async def close() -> None:
        await asyncio.gather(*(closer() for closer in _closers), return_exceptions=True)
        loop.stop()

    asyncio.run_coroutine_threadsafe(close(), loop)
    thread.join(2)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_stop)
