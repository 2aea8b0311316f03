"""Celery: what runs in the background, in which queue, how often, and for how long at most."""

from celery.schedules import crontab

from .base import REDIS_URL
from .env import env
from .product import CATALOGUE_SYNC_SECONDS

# By urgency: what stands in one queue never waits for what stands in another. Each has worker processes of its own
# (config/workers.py), so many to a machine: that many of its tasks run at once.
_QUEUES = (
    "receive",  # codes that came in
    "end",  # numbers whose time is over, and their refunds
    "recover",  # what a crash or a silent vendor left open
    "payments",
    "send",  # notifications
    "catalogue",  # the vendor's lists and reports; purges
)
WORKER_QUEUES = {name: env.int(f"WORKER_SLOTS_{name.upper()}", default=2, low=1, high=100) for name in _QUEUES}
# Each task's queue, and the seconds after which its process is killed and another started: longer than it takes with a
# silent vendor. Every task may be killed at any moment and run again.
TASKS = {
    "verifications.tasks.poll": ("receive", 60),
    "verifications.tasks.expire": ("end", 90),
    "verifications.tasks.recover": ("recover", 120),
    "verifications.tasks.report": ("catalogue", 60),
    "verifications.tasks.sync_catalogue": ("catalogue", 600),
    "verifications.tasks.reconcile_provider": ("catalogue", 600),
    "verifications.tasks.purge": ("catalogue", 300),
    "payments.tasks.check_payments": ("payments", 90),
    "payments.tasks.retry_gateway_events": ("payments", 90),
    "payments.tasks.purge_gateway_events": ("catalogue", 300),
    "accounts.tasks.clear_sessions": ("catalogue", 300),
    "notifications.tasks.cleanup_activities": ("catalogue", 300),
    "verifications.tasks.progress": ("send", 60),
    "notifications.tasks.sweep": ("send", 120),
    "notifications.tasks.sweep_all": ("send", 600),
    "notifications.tasks.announce": ("send", 120),
    "accounts.tasks.send_notice": ("send", 60),
}
QUEUE_HEARTBEAT_SECONDS = env.int("QUEUE_HEARTBEAT_SECONDS", default=5, low=1)
# After so long without one, `/health/ready` names the queue.
QUEUE_SILENT_SECONDS = env.int("QUEUE_SILENT_SECONDS", default=60, low=1)

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 1800,  # longer than the longest task, and than the longest wait for another try
    "socket_connect_timeout": 0.25,
    "socket_timeout": 5,
    "global_keyprefix": "",
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "send"
CELERY_TASK_ROUTES = {task: {"queue": queue} for task, (queue, _) in TASKS.items()}
CELERY_TASK_ANNOTATIONS = {task: {"time_limit": seconds} for task, (_, seconds) in TASKS.items()}
CELERY_TASK_TIME_LIMIT = 60  # of the others; the threads pool knows no limit, so it is not what we run
CELERY_WORKER_POOL = "prefork"
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
# No message expires: that would compare the clocks of two machines (config/beat.py prevents the pile-ups).
CELERY_BEAT_SCHEDULE = {
    "poll": {"task": "verifications.tasks.poll", "schedule": 1.0},
    "recover": {"task": "verifications.tasks.recover", "schedule": 5.0},
    "expire": {"task": "verifications.tasks.expire", "schedule": 2.0},
    "progress": {"task": "verifications.tasks.progress", "schedule": 10.0},
    "purge": {"task": "verifications.tasks.purge", "schedule": crontab(minute=20)},
    "sync-catalogue": {"task": "verifications.tasks.sync_catalogue", "schedule": float(CATALOGUE_SYNC_SECONDS)},
    "reconcile-provider": {"task": "verifications.tasks.reconcile_provider", "schedule": crontab(hour=3, minute=40)},
    "check-payments": {"task": "payments.tasks.check_payments", "schedule": 60.0},
    "retry-gateway-events": {"task": "payments.tasks.retry_gateway_events", "schedule": 60.0},
    "purge-gateway-events": {
        "task": "payments.tasks.purge_gateway_events",
        "schedule": crontab(hour=4, minute=40),
    },
    "clear-sessions": {"task": "accounts.tasks.clear_sessions", "schedule": crontab(hour=4, minute=50)},
    "cleanup-activities": {"task": "notifications.tasks.cleanup_activities", "schedule": crontab(hour=4, minute=20)},
    "sweep-notifications": {"task": "notifications.tasks.sweep", "schedule": 60.0},
    "sweep-notifications-nightly": {"task": "notifications.tasks.sweep_all", "schedule": crontab(hour=3, minute=10)},
    **{
        f"heartbeat-{queue}": {
            "task": "config.tasks.heartbeat",
            "schedule": float(QUEUE_HEARTBEAT_SECONDS),
            "args": [queue],
            "options": {"queue": queue},
        }
        for queue in WORKER_QUEUES
    },
}
