"""Access to `/metrics`, and the folder through which the processes share their metrics."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from .base import DEBUG
from .env import env

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_OPEN = DEBUG


def shared_folder(path: str) -> str:
    """Return the folder, made where it is missing. Raises ImproperlyConfigured where nothing can be written to it."""
    if not path:
        return ""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        why = "" if os.access(path, os.W_OK | os.X_OK) else "Permission denied"
    except OSError as error:
        why = str(error.strerror)
    if why:
        raise ImproperlyConfigured(
            f"PROMETHEUS_MULTIPROC_DIR is {path!r}; it takes a folder that can be made and written to ({why})."
        )
    return path


PROMETHEUS_MULTIPROC_DIR = shared_folder(env.str("PROMETHEUS_MULTIPROC_DIR", default=""))
