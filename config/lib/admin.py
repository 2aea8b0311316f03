"""Parts of admin pages: read-only pages, range filters, columns of links and amounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter, RangeNumericFilter

from config.lib import money

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ReadOnlyAdmin(ModelAdmin):
    """Shows rows that services alone may write: they can be viewed, not added, changed or deleted."""

    show_full_result_count = False  # counting a table of millions for a number in a corner
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AmountRangeFilter(RangeNumericFilter):
    """Filters a column of cents by amounts as people write them ("2.50"). An invalid amount matches no row."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for end, lookup in (("from", "gte"), ("to", "lte")):
            text = self.used_parameters.get(f"{self.parameter_name}_{end}")
            if not text:
                continue
            try:
                cents = money.to_cents(str(text))
            except ValueError:
                return queryset.none()
            queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": cents})
        return queryset


class TimeRangeFilter(RangeDateTimeFilter):
    """Filters by times in the reader's time zone. A day alone is the whole day; an invalid time matches no row."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for end, lookup, hour in (("from", "gte", time.min), ("to", "lte", time.max)):
            day, moment = (self.used_parameters.get(f"{self.parameter_name}_{end}_{n}") for n in (0, 1))
            if not day:
                continue
            try:
                at = datetime.combine(date.fromisoformat(str(day)), time.fromisoformat(str(moment)) if moment else hour)
                aware = at if at.tzinfo else timezone.make_aware(at)
            except (ValueError, OverflowError):
                return queryset.none()
            queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": aware})
        return queryset


def admin_url(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def link(name: str, *, description: StrOrPromise) -> Callable[[Any, Any], str]:
    """Return a column of links to a foreign key's row: `customer = link("wallet.user", description=_("customer"))`.

    The list must `list_select_related` the path, or each row costs a query.
    """

    @admin.display(description=description, empty_value="-")
    def column(self: Any, row: Any) -> str:
        target = row
        for attribute in name.split("."):
            target = getattr(target, attribute, None)
        return format_html('<a href="{}">{}</a>', admin_url(target), target) if target is not None else ""

    return column


def amount(name: str, *, description: StrOrPromise) -> Callable[[Any, Any], str]:
    """Return a column that shows cents as an amount, sorted by the cents."""

    @admin.display(description=description, ordering=name, empty_value="-")
    def column(self: Any, row: Any) -> str:
        cents = getattr(row, name)
        return "" if cents is None else money.display(cents)

    return column


def cost(name: str, *, description: StrOrPromise) -> Callable[[Any, Any], str]:
    """Return a column that shows a provider's cost, a Decimal with up to four places, sorted by it."""

    @admin.display(description=description, ordering=name, empty_value="-")
    def column(self: Any, row: Any) -> str:
        value = getattr(row, name)
        return "" if value is None else money.display_cost(value)

    return column
