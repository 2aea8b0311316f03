"""Refunds in the console, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from config.lib.admin import AmountRangeFilter, ReadOnlyAdmin, TimeRangeFilter, amount, link
from refunds.models import Refund


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ("reference", "customer", "gives", "status", "reason", "automatic", "of", "created_at")
    list_select_related = ("user", "verification")
    list_filter_submit = True
    list_filter = (
        "status",
        "automatic",
        "reason",
        ("created_at", TimeRangeFilter),
        ("amount", AmountRangeFilter),
    )
    search_fields = ("reference__startswith", "user__email__startswith")
    ordering = ("-id",)
    fields = (
        "reference",
        "customer",
        "gives",
        "status",
        "reason",
        "automatic",
        "of",
        "paid_by",
        "created_at",
        "completed_at",
    )

    customer = link("user", description=_("customer"))
    gives = amount("amount", description=_("amount"))
    of = link("verification", description=_("verification"))
    paid_by = link("transaction", description=_("transaction"))
