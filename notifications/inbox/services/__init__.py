"""All writes of the inbox."""

from notifications.inbox.services.changes import Changed, archive, delete, mark_clicked, mark_read, read_one
from notifications.inbox.services.notifying import notify
from notifications.inbox.services.repair import repair
from notifications.inbox.services.retention import cleanup

__all__ = [
    "Changed",
    "archive",
    "cleanup",
    "delete",
    "mark_clicked",
    "mark_read",
    "notify",
    "read_one",
    "repair",
]
