"""The task that proves that a queue is worked on."""

from celery import shared_task

from config import heartbeats


@shared_task
def heartbeat(queue: str) -> None:
    heartbeats.record(queue)
