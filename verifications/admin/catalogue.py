"""The catalogue in the console. Staff set title, category, block and fixed price of a service; the rest is synced."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from config.lib.admin import ReadOnlyAdmin, amount, cost, link
from verifications import errors, services
from verifications.forms import ServiceForm
from verifications.models import Category, Offer, Service


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    """Categories. Blocking one takes all its services off sale. The catalogue refers to slugs, so these stay."""

    list_display = ("name", "slug", "blocked", "services_count")
    list_filter = ("blocked",)
    search_fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(services_count=Count("services"))

    def get_readonly_fields(self, request: HttpRequest, obj: Category | None = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    @admin.display(description=_("services"), ordering="services_count")
    def services_count(self, category: Any) -> int:
        return category.services_count

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OfferInline(TabularInline):
    model = Offer
    fields = (
        "country",
        "provider",
        "capability",
        "shown_cost",
        "shown",
        "stock",
        "success_rate",
        "active",
        "quoted_at",
    )
    readonly_fields = fields
    extra = 0
    can_delete = False
    shown = amount("price", description=_("price"))
    shown_cost = cost("cost", description=_("cost"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Service)
class ServiceAdmin(ModelAdmin):
    list_display = ("title", "name", "category", "blocked", "fixed")
    list_filter = ("blocked", "category", "category__blocked")
    list_select_related = ("category",)
    search_fields = ("title", "name")
    form = ServiceForm
    fields = ("name", "title", "category", "blocked", "fixed_price", "below_cost", "created_at")
    readonly_fields = ("name", "created_at")
    autocomplete_fields = ("category",)
    inlines = (OfferInline,)
    fixed = amount("fixed_price", description=_("fixed price"))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the service, whose form has confirmed a price below cost, and warn once more where it is below cost."""
        services.save_service(service=obj, below_cost=True)
        try:
            services.refuse_below_cost(service=obj)
        except errors.BelowCost as warning:
            self.message_user(request, str(warning.detail), messages.WARNING)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the sync adds what the provider sells

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin):
    list_display = (
        "service_link",
        "country",
        "capability",
        "shown_cost",
        "shown",
        "stock",
        "success_rate",
        "active",
        "quoted_at",
    )
    list_filter = ("active", "country", "provider", "capability", "service__category")
    list_select_related = ("service",)
    search_fields = ("service__title", "service__name")
    exclude = ("price", "cost")
    readonly_fields = ("shown_cost", "shown")
    ordering = ("service__title", "pk")
    service_link = link("service", description=_("service"))
    shown = amount("price", description=_("price"))
    shown_cost = cost("cost", description=_("cost"))
