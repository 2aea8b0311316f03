"""Celery: what runs in the background, and how often."""

from celery.schedules import crontab

from .base import REDIS_URL
from .product import CATALOGUE_SYNC_SECONDS

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "socket_connect_timeout": 0.25,
    "socket_timeout": 5,
    "global_keyprefix": "",
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_BEAT_SCHEDULE = {
    "poll": {"task": "verifications.tasks.poll", "schedule": 1.0, "options": {"expires": 5}},
    "recover": {"task": "verifications.tasks.recover", "schedule": 5.0, "options": {"expires": 15}},
    "expire": {"task": "verifications.tasks.expire", "schedule": 2.0, "options": {"expires": 10}},
    "progress": {"task": "verifications.tasks.progress", "schedule": 10.0, "options": {"expires": 30}},
    "purge": {"task": "verifications.tasks.purge", "schedule": crontab(minute=20)},
    "sync-catalogue": {"task": "verifications.tasks.sync_catalogue", "schedule": float(CATALOGUE_SYNC_SECONDS)},
    "reconcile-provider": {"task": "verifications.tasks.reconcile_provider", "schedule": crontab(hour=3, minute=40)},
    "check-payments": {"task": "payments.tasks.check_payments", "schedule": 60.0, "options": {"expires": 60}},
    "retry-gateway-events": {
        "task": "payments.tasks.retry_gateway_events",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "purge-gateway-events": {
        "task": "payments.tasks.purge_gateway_events",
        "schedule": crontab(hour=4, minute=40),
    },
    "clear-sessions": {"task": "accounts.tasks.clear_sessions", "schedule": crontab(hour=4, minute=50)},
    "cleanup-activities": {"task": "notifications.tasks.cleanup_activities", "schedule": crontab(hour=4, minute=20)},
    "sweep-notifications": {"task": "notifications.tasks.sweep", "schedule": 60.0, "options": {"expires": 60}},
    "sweep-notifications-nightly": {"task": "notifications.tasks.sweep_all", "schedule": crontab(hour=3, minute=10)},
}
