"""Admin pages that only show: what services alone may write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from config.lib import money

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ReadOnlyAdmin(ModelAdmin):
    """Who may view a model sees it; nobody adds, changes or deletes a row of it here."""

    show_full_result_count = False  # counting a table of millions for a number in a corner
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def admin_url(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def link(name: str, *, description: StrOrPromise) -> Callable[[Any, Any], str]:
    """A column that leads to the row a foreign key names: `customer = link("wallet.user", description=_("customer"))`.

    The list must `list_select_related` the path, or each row costs a query.
    """

    @admin.display(description=description, empty_value="-")
    def column(self: Any, row: Any) -> str:
        target = _follow(row, name)
        return format_html('<a href="{}">{}</a>', admin_url(target), target) if target is not None else ""

    return column


def amount(name: str, *, description: StrOrPromise) -> Callable[[Any, Any], str]:
    """A column of cents as people read them, sorted by the cents."""

    @admin.display(description=description, ordering=name, empty_value="-")
    def column(self: Any, row: Any) -> str:
        cents = getattr(row, name)
        return "" if cents is None else money.display(cents)

    return column


def _follow(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = getattr(row, name, None)
    return row
