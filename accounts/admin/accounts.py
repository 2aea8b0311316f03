"""Users, groups and accepted policies in the console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from accounts import services
from accounts.forms import ReasonForm
from accounts.models import PolicyAcceptance, User
from config.lib.admin import ReadOnlyAdmin, link
from config.lib.errors.base import DomainError

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(ModelAdmin):
    """Only the owner changes the address and the password; only superusers change what staff may do."""

    list_display = ("email", "name", "is_active", "is_staff", "purchases_frozen_at", "date_joined")
    list_filter = ("is_active", "is_staff", ("purchases_frozen_at", admin.EmptyFieldListFilter))
    search_fields = ("email", "name")
    ordering = ("-id",)
    show_full_result_count = False
    actions = ("pause_purchases", "resume_purchases")
    fields = (
        "email",
        "name",
        "time_zone",
        "is_active",
        "purchases_frozen_at",
        "date_joined",
        "last_login",
        "is_staff",
        "is_superuser",
        "groups",
        "user_permissions",
    )
    filter_horizontal = ("groups", "user_permissions")
    _NEVER = ("email", "purchases_frozen_at", "date_joined", "last_login")
    _POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return self._NEVER if request.user.is_superuser else (*self._NEVER, *self._POWERS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Staff can't change other staff, who may have more permissions."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.is_staff)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        services.save_by_staff(user=obj, changed=form.changed_data)

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.pause_purchases")

    @admin.action(description=_("Pause purchases…"), permissions=["pause"])
    def pause_purchases(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return self._freeze(request, queryset, frozen=True)

    @admin.action(description=_("Resume purchases…"), permissions=["pause"])
    def resume_purchases(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return self._freeze(request, queryset, frozen=False)

    def _freeze(self, request: HttpRequest, queryset: QuerySet[User], *, frozen: bool) -> HttpResponse | None:
        """Ask for the reason and a confirmation, then pause or resume the purchases of those selected."""
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": _("Pause purchases") if frozen else _("Resume purchases"),
                "opts": self.opts,
                "form": form,
                "frozen": frozen,
                "users": queryset,
                "action": request.POST["action"],
            }
            return TemplateResponse(request, "admin/accounts/purchases.html", context)
        done = 0
        for user in queryset:
            try:
                services.set_purchases_frozen(
                    user=user, frozen=frozen, reason=form.cleaned_data["reason"], now=timezone.now()
                )
            except DomainError as refusal:
                self.message_user(request, f"{user}: {refusal.detail}", messages.WARNING)
            else:
                done += 1
        if done:
            paused = ngettext("Purchases of %d customer are paused.", "Purchases of %d customers are paused.", done)
            resumed = ngettext("Purchases of %d customer are resumed.", "Purchases of %d customers are resumed.", done)
            self.message_user(request, (paused if frozen else resumed) % done, messages.SUCCESS)
        return None


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin):
    """Only superusers change groups: a member could give the group every permission otherwise."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser


@admin.register(PolicyAcceptance)
class PolicyAcceptanceAdmin(ReadOnlyAdmin):
    list_display = ("customer", "version", "accepted_at", "ip_address")
    search_fields = ("user__email",)
    list_select_related = ("user",)
    customer = link("user", description=_("customer"))
