"""People in the console."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin

from accounts.models import ApiKey, PolicyAcceptance, User


@admin.register(User)
class UserAdmin(ModelAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "purchases_frozen_at", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    readonly_fields = ("date_joined", "last_login", "purchases_frozen_at")
    exclude = ("password",)
    filter_horizontal = ("groups", "user_permissions")

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False


class ReadOnly(ModelAdmin):
    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    list_display = ("prefix", "name", "user", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    search_fields = ("prefix", "name", "user__email")
    exclude = ("digest",)
    list_select_related = ("user",)


@admin.register(PolicyAcceptance)
class PolicyAcceptanceAdmin(ReadOnly):
    list_display = ("user", "version", "accepted_at", "ip_address")
    search_fields = ("user__email",)
    list_select_related = ("user",)
