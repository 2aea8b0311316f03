"""Verifications in the console, read-only. Texts and codes belong to their owners, and are not shown."""

from __future__ import annotations

import math
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from config.lib.admin import ReadOnlyAdmin, amount, link
from verifications import providers
from verifications.models import Message, Verification

_UNSHOWN = ("text", "code", "digest")
_STATES = {"closed": _("works"), "open": _("refused: it doesn't answer"), "half_open": _("being tried")}


class MessageInline(TabularInline):
    """When a message came, and from whom."""

    model = Message
    fields = ("sender", "received_at", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).defer(*_UNSHOWN)


@admin.register(Verification)
class VerificationAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "customer",
        "service",
        "status",
        "paid",
        "phone_number",
        "created_at",
        "ended_at",
        "settlement",
    )
    list_filter = ("status", "settlement", "created_at", "provider")
    list_select_related = ("user", "service")
    search_fields = ("=id", "user__email", "=provider_id", "phone_number", "service__name")
    exclude = ("idempotency_key", "fingerprint", "price")
    readonly_fields = ("paid",)
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    inlines = (MessageInline,)
    list_before_template = "verifications/admin/breakers.html"  # type: ignore[assignment]  # unfold means str | None
    paid = amount("price", description=_("price"))
    customer = link("user", description=_("customer"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        rows = []
        for state in providers.breaker_states():
            again = _("in %(seconds)s s") % {"seconds": math.ceil(state.retry_after)} if state.retry_after else ""
            where = _("all processes") if state.shared else _("this process alone: Redis is away")
            rows.append([state.name, _STATES[state.state], state.failures, again, where])
        headers = [_("Operation"), _("State"), _("Failures in a row"), _("Tried again"), _("Known to")]
        table = {"headers": headers, "rows": rows}
        shown: dict[str, Any] = {"breakers_title": _("Provider's operations"), "breakers": table}
        return super().changelist_view(request, {**shown, **(extra_context or {})})


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ("id", "verification", "sender", "received_at", "created_at")
    list_filter = ("received_at",)
    list_select_related = ("verification",)
    fields = ("verification", "sender", "received_at", "created_at")
    search_fields = ("=verification__id",)
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).defer(*_UNSHOWN)
