"""The console's view of events and alerts."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from activity import services
from activity.models import Activity, Alert
from config.lib.admin import ReadOnlyAdmin, link
from config.lib.errors.base import DomainError


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "event", "customer", "title", "description", "actor", "status")
    list_filter = ("activity_type", "status", "actor", "created_at")
    search_fields = ("user__email", "resource_id", "event")
    list_select_related = ("user",)
    customer = link("user", description=_("customer"))


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "severity", "rule", "cause", "customer", "state", "handled_by", "handled_at")
    list_filter = ("state", "severity", "rule")
    search_fields = ("cause", "user__email")
    list_select_related = ("user", "handled_by")
    actions = ("acknowledge", "resolve")
    customer = link("user", description=_("customer"))

    def has_handle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("activity.change_alert")

    @admin.action(description=_("Acknowledge"), permissions=["handle"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        self._handle(request, queryset, services.acknowledge_alert)

    @admin.action(description=_("Resolve"), permissions=["handle"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        self._handle(request, queryset, services.resolve_alert)

    def _handle(self, request: HttpRequest, queryset: QuerySet[Alert], handle: Any) -> None:
        done = 0
        for alert in queryset:
            try:
                handle(alert=alert, by=cast(User, request.user), now=timezone.now())
                done += 1
            except DomainError as refusal:
                self.message_user(request, f"{alert}: {refusal.detail}", messages.WARNING)
        if done:
            said = ngettext("%(number)d alert was changed.", "%(number)d alerts were changed.", done)
            self.message_user(request, said % {"number": done}, messages.SUCCESS)
