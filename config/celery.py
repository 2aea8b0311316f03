"""The Celery application: `python -m config.workers`, `celery -A config beat`."""

import gc
import os
import signal
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("ringfence")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_worker_pid = 0


@signals.setup_logging.connect
def configure_log(**_: Any) -> None:
    """Configure the log as Django's settings say, in every process: a receiver of this signal replaces Celery's log."""
    from django.conf import settings
    from django.utils.log import configure_logging

    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)


@signals.worker_init.connect
@signals.beat_init.connect
def use_background_limits(**_: Any) -> None:
    """Give workers and beat the short lock timeouts of background processes; forked processes inherit them."""
    from config.lib.postgres import limits

    global _worker_pid
    _worker_pid = os.getpid()
    limits.use("background")
    gc.freeze()  # else the collector of each forked process would write to, and so copy, what they share


@signals.worker_process_init.connect
def die_with_the_worker(**_: Any) -> None:
    """End this process with its worker, which would otherwise leave it working on what another worker begins again."""
    from config.lib.process import die_with_parent

    die_with_parent(signal.SIGKILL)
    if os.getppid() != _worker_pid:
        os._exit(1)
