"""The console's view of the inboxes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from config.lib.admin import ReadOnlyAdmin, link
from notifications.models import Inbox, Notification


@admin.register(Inbox)
class InboxAdmin(ReadOnlyAdmin):
    list_display = ("customer", "seq", "unread")
    search_fields = ("user__email",)
    list_select_related = ("user",)
    ordering = ("-user_id",)
    customer = link("user", description=_("customer"))


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """Shows the event's name, not the message: one with a code in it is for its customer alone."""

    list_display = ("created_at", "customer", "seq", "event", "priority", "read_at", "clicked_at", "archived_at")
    list_filter = ("category", "priority", "created_at")
    search_fields = ("user__email", "activity__event", "activity__resource_id")
    list_select_related = ("user", "activity")
    ordering = ("-id",)
    customer = link("user", description=_("customer"))

    @admin.display(description=_("event"))
    def event(self, row: Notification) -> Any:
        return row.activity.event
