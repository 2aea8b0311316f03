"""The tables of this app."""

from notifications.models.inbox import Inbox, Notification
from notifications.models.tickets import Ticket

__all__ = ["Inbox", "Notification", "Ticket"]
