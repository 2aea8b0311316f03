"""All writes of the inbox."""

from notifications.services.inbox import archive, delete, mark_clicked, mark_read
from notifications.services.retention import cleanup
from notifications.services.sweep import sweep
from notifications.services.tell import notify

__all__ = ["archive", "cleanup", "delete", "mark_clicked", "mark_read", "notify", "sweep"]
