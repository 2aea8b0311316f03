"""The scheduler of `celery -A config beat`, which sends no task that is in its queue already.

While no worker runs nothing piles up, and nothing has to be thrown away afterwards: a message that expires does so by
the clock of the machine that reads it, which may be ahead of the one that wrote it.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from celery.schedules import crontab
from django.conf import settings
from django_celery_beat.schedulers import DatabaseScheduler
from redis.exceptions import RedisError

from config import heartbeats

log = logging.getLogger(__name__)


def is_queued(task: str, *, queue: str | None = None) -> bool:
    """Return whether the task is in its queue (or this one), and no worker has taken it yet. Raises RedisError."""
    messages: Any = heartbeats.redis().lrange(queue or settings.CELERY_TASK_ROUTES[task]["queue"], 0, -1)
    return any(json.loads(message)["headers"].get("task") == task for message in messages)


class Scheduler(DatabaseScheduler):
    _recorded_at = float("-inf")

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() - self._recorded_at >= settings.QUEUE_HEARTBEAT_SECONDS:
            self._recorded_at = time.monotonic()
            try:
                heartbeats.record(heartbeats.BEAT)
            except RedisError as error:
                log.warning("The beat's sign of life is lost: %s", type(error).__name__)
        return super().tick(*args, **kwargs)

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        """Send the task, unless it runs at intervals and its last message is still queued: at a time of day always."""
        try:
            if not isinstance(entry.schedule, crontab) and is_queued(entry.task, queue=entry.options.get("queue")):
                return None
        except (RedisError, KeyError) as error:
            log.warning("Whether %s waits already is not known: %s", entry.name, type(error).__name__)
        return super().apply_async(entry, *args, **kwargs)
