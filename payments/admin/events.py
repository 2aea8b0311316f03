"""Gateway events in the console: view them, replay them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.lib.admin import ReadOnlyAdmin
from config.lib.errors.base import DomainError
from payments import services
from payments.models import GatewayEvent


class HandledFilter(admin.SimpleListFilter):
    title = gettext_lazy("applied")
    parameter_name = "handled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", _("Not applied")), ("stuck", _("Given up")), ("yes", _("Done"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[GatewayEvent]) -> QuerySet[GatewayEvent]:
        if self.value() == "no":
            return queryset.filter(processed_at=None)
        if self.value() == "stuck":
            return queryset.filter(processed_at=None, next_attempt_at=None)
        if self.value() == "yes":
            return queryset.exclude(processed_at=None)
        return queryset


@admin.register(GatewayEvent)
class GatewayEventAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "gateway", "type", "outcome", "attempts", "error", "received_at", "next_attempt_at")
    list_filter = (HandledFilter, "outcome")
    search_fields = ("event_id__exact", "type__exact")
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.replay_gatewayevent")

    @admin.action(description=gettext_lazy("Replay"), permissions=["replay"])
    def replay(self, request: HttpRequest, events: QuerySet[GatewayEvent]) -> None:
        for event_id in events.values_list("pk", flat=True):
            try:
                event = services.replay_event(event_id=event_id, now=timezone.now())
            except DomainError as refusal:
                self.message_user(request, str(refusal.detail), messages.WARNING)
                continue
            level = messages.WARNING if event.error else messages.SUCCESS
            self.message_user(request, f"{event.event_id}: {event.error or event.get_outcome_display()}", level)
