"""Structured logs: one line an event, JSON in production. No codes, tokens, numbers, addresses."""

import sys
from typing import Any

import structlog

from config.lib.secrets.redaction import mask_event

from .base import DEBUG
from .env import env

_shared: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# Colours on a terminal, or where the environment asks for them (https://no-color.org, https://force-color.org), as the
# launcher does.
_COLOURED = not env.str("NO_COLOR", default="") and (bool(env.str("FORCE_COLOR", default="")) or sys.stderr.isatty())

# Beside standard error, where LOG_FILE names a file; one that logrotate has moved away is opened anew.
_handlers: dict[str, Any] = {"console": {"class": "logging.StreamHandler", "formatter": "structured"}}
if _file := env.str("LOG_FILE", default="").strip():
    _handlers["file"] = {
        "class": "logging.handlers.WatchedFileHandler",
        "filename": _file,
        "encoding": "utf-8",
        "errors": "backslashreplace",
        "delay": True,
        "formatter": "structured",
    }

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_event,
                structlog.dev.ConsoleRenderer(colors=_COLOURED)
                if DEBUG
                else structlog.processors.JSONRenderer(ensure_ascii=False),  # an arrow is searched for as an arrow
            ],
            "foreign_pre_chain": _shared,
        }
    },
    "handlers": _handlers,
    "root": {"handlers": list(_handlers), "level": env.one_of("LOG_LEVEL", "INFO", _LEVELS)},
    "loggers": {
        # Every task received and succeeded, each second: what matters, the tasks say themselves.
        "celery": {"level": "WARNING"},
        "django_celery_beat": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "django": {"handlers": [], "propagate": True},  # its own console handler would say everything twice
        "django.channels.server": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
    },
}

structlog.configure(
    processors=[
        *_shared[:1],
        structlog.stdlib.filter_by_level,
        *_shared[1:],
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
