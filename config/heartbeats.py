"""Heartbeats: a small task goes through each queue and records one, and so does the beat.

Each is a key in Redis that expires after a day: its remaining time tells its age by the clock of Redis alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from redis import Redis
from redis.exceptions import RedisError

from config.lib.redis.client import client

BEAT = "beat"
_KEEP_MS = 86_400_000


def record(name: str) -> None:
    """Record a heartbeat of a queue or of the beat. Raises RedisError."""
    redis().set(_key(name), "", px=_KEEP_MS)


def ages() -> dict[str, float | None]:
    """Return the seconds since the last heartbeat of each queue and the beat, None for none in a day.

    Raises RedisError.
    """
    names = [*settings.WORKER_QUEUES, BEAT]
    with redis().pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.pttl(_key(name))
        left = pipeline.execute()
    return {name: (_KEEP_MS - ms) / 1000 if ms >= 0 else None for name, ms in zip(names, left, strict=True)}


def silent_queues() -> list[str]:
    """Return the queues, and `beat`, without a heartbeat for QUEUE_SILENT_SECONDS. Raises RedisError."""
    return [name for name, age in ages().items() if age is None or age > settings.QUEUE_SILENT_SECONDS]


def queue_lengths() -> dict[str, int]:
    """Return how many tasks wait in each queue. Raises RedisError."""
    with redis().pipeline(transaction=False) as pipeline:
        for queue in settings.WORKER_QUEUES:
            pipeline.llen(queue)
        return dict(zip(settings.WORKER_QUEUES, pipeline.execute(), strict=True))


class QueueCollector:
    """The queues' metrics, read from Redis when `/metrics` is asked for, since no process knows them."""

    def collect(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("queue_heartbeat_age_seconds", "Since the last sign of life", labels=["queue"])
        waiting = GaugeMetricFamily("queue_waiting", "Tasks that wait in the queue", labels=["queue"])
        try:
            seen, counted = ages(), queue_lengths()
        except RedisError:
            return
        for name, seconds in seen.items():
            age.add_metric([name], float("inf") if seconds is None else seconds)
        for name, count in counted.items():
            waiting.add_metric([name], count)
        yield age
        yield waiting


def _key(name: str) -> str:
    return f"{settings.CACHES['default']['KEY_PREFIX']}:heartbeat:{name}"


def redis() -> Redis:
    """Return the client for the queues and their heartbeats."""
    return client(connect_seconds=0.25, answer_seconds=0.25)
