"""Signs of life: a small task goes through each queue and leaves one, and so does the beat each time it looks.

They are kept in Redis, each as a key that Redis forgets after a day: how long that is still to come says how old it
is, by the clock of Redis alone.
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


def note(name: str) -> None:
    """Leave a sign of life. Raises RedisError."""
    redis().set(_key(name), "", px=_KEEP_MS)


def ages() -> dict[str, float | None]:
    """Return the seconds since the last sign of life of each queue and the beat, None for none in a day.

    Raises RedisError.
    """
    names = [*settings.WORKER_QUEUES, BEAT]
    with redis().pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.pttl(_key(name))
        left = pipeline.execute()
    return {name: (_KEEP_MS - ms) / 1000 if ms >= 0 else None for name, ms in zip(names, left, strict=True)}


def silent() -> list[str]:
    """Return the queues, and `beat`, of which nothing was seen for QUEUE_SILENT_SECONDS. Raises RedisError."""
    return [name for name, age in ages().items() if age is None or age > settings.QUEUE_SILENT_SECONDS]


def lengths() -> dict[str, int]:
    """Return how many tasks wait in each queue. Raises RedisError."""
    with redis().pipeline(transaction=False) as pipeline:
        for queue in settings.WORKER_QUEUES:
            pipeline.llen(queue)
        return dict(zip(settings.WORKER_QUEUES, pipeline.execute(), strict=True))


class Collector:
    """For `/metrics`: read as it is asked for, since no process of its own knows it."""

    def collect(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("queue_heartbeat_age_seconds", "Since the last sign of life", labels=["queue"])
        waiting = GaugeMetricFamily("queue_waiting", "Tasks that wait in the queue", labels=["queue"])
        try:
            seen, counted = ages(), lengths()
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
    """Return the client for the queues and their signs of life."""
    return client(connect_seconds=0.25, answer_seconds=0.25)
