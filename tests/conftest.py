"""What the tests that cross apps share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import redis


@pytest.fixture
def without_redis(redis_server: redis.Redis) -> Callable[..., AbstractContextManager[None]]:
    """`with without_redis(seconds=10)`: Redis hangs (SIGSTOP) for so long, whatever the body does meanwhile."""

    @contextmanager
    def stopped(seconds: float) -> Iterator[None]:
        pid = int(redis_server.info("server")["process_id"])  # type: ignore[index]
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
            remaining = seconds - (time.monotonic() - began)
            if remaining > 0:
                time.sleep(remaining)  # the outage's own length is what is tested
        finally:
            os.kill(pid, signal.SIGCONT)

    return stopped
