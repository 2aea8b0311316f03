"""What proves that the queues work."""

from celery import shared_task

from config import heartbeats


@shared_task
def heartbeat(queue: str) -> None:
    heartbeats.note(queue)
