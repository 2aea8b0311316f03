"""All writes of the inbox."""

from notifications.services.inbox import Changed, archive, delete, mark_clicked, mark_read, read_one
from notifications.services.retention import cleanup
from notifications.services.sweep import sweep
from notifications.services.tell import notify
from notifications.services.tell_all import notify_all

__all__ = [
    "Changed",
    "archive",
    "cleanup",
    "delete",
    "mark_clicked",
    "mark_read",
    "notify",
    "notify_all",
    "read_one",
    "sweep",
]
