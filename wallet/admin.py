"""Wallets, journal and holds in the console, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter
from unfold.paginator import InfinitePaginator

from config.lib import money
from config.lib.admin import AmountRangeFilter, ReadOnlyAdmin, TimeRangeFilter, admin_url, amount, link
from wallet import exports
from wallet.models import Hold, Transaction, Wallet

# The console's page of a movement's resource; payments are looked up by their reference, so the list is searched.
_RESOURCES = {
    "verification": ("admin:verifications_verification_change", ""),
    "payment": ("admin:payments_payment_changelist", "?q="),
}


@admin.display(description=_("about"), empty_value="-")
def resource(self: Any, row: Transaction | Hold) -> str:
    """Return a link to the verification or the payment of a row."""
    try:
        name, query = _RESOURCES[row.resource_type]
        url = f"{reverse(name)}{query}{row.resource_id}" if query else reverse(name, args=[row.resource_id])
    except (KeyError, NoReverseMatch):
        return f"{row.resource_type} {row.resource_id}".strip()
    return format_html('<a href="{}">{} {}</a>', url, row.resource_type, row.resource_id)


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ("customer", "has", "keeps", "can_spend", "version")
    list_select_related = ("user",)
    list_display_links = ("has",)
    list_filter_submit = True
    list_filter = (("balance", AmountRangeFilter), ("held", AmountRangeFilter))
    search_fields = ("user__email",)
    fields = ("customer", "has", "keeps", "can_spend", "version", "created_at", "journal")
    ordering = ("-id",)

    customer = link("user", description=_("customer"))
    has = amount("balance", description=_("balance"))
    keeps = amount("held", description=_("held"))

    @admin.display(description=_("available"))
    def can_spend(self, wallet: Wallet) -> str:
        return money.display(wallet.available)

    @admin.display(description=_("journal"))
    def journal(self, wallet: Wallet) -> str:
        url = f"{reverse('admin:wallet_transaction_changelist')}?wallet__id__exact={wallet.pk}"
        return format_html('<a href="{}">{}</a>', url, _("All its transactions"))


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = ("reference", "customer", "moved", "type", "counterparty", "service", "then", "about", "created_at")
    list_select_related = ("wallet__user",)
    list_filter_submit = True
    list_filter = (
        ("type", ChoicesDropdownFilter),
        ("created_at", TimeRangeFilter),
        ("amount", AmountRangeFilter),
        ("service", FieldTextFilter),
        ("counterparty", ChoicesDropdownFilter),
    )
    # The prefix of a reference, which its index serves, or of the customer's address.
    search_fields = ("reference__startswith", "wallet__user__email__startswith")
    search_help_text = _("The beginning of a reference (verification:…, payment:…), or of the customer's address")
    paginator = InfinitePaginator
    ordering = ("-id",)
    actions = ("export",)
    fields = (
        "reference",
        "customer",
        "sequence",
        "moved",
        "then",
        "type",
        "counterparty",
        "description",
        "service",
        "about",
        "reversal_of",
        "reversal",
        "refunded",
        "status",
        "created_at",
    )

    customer = link("wallet.user", description=_("customer"))
    moved = amount("amount", description=_("amount"))
    then = amount("balance_after", description=_("balance after"))
    about = resource
    reversal_of = link("reverses", description=_("reverses"))
    reversal = link("reversed_by", description=_("reversed by"))

    @admin.display(description=_("refund"), empty_value="-")
    def refunded(self, row: Any) -> str:
        """Return a link to the refund that this row paid out, or that reversed this charge."""
        refund = getattr(row, "refund", None) or getattr(getattr(row, "reversed_by", None), "refund", None)
        return format_html('<a href="{}">{}</a>', admin_url(refund), refund) if refund is not None else ""

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallet.export_transaction")

    @admin.action(description=_("Export as CSV"), permissions=["export"])
    def export(self, request: HttpRequest, rows: QuerySet[Transaction]) -> StreamingHttpResponse:
        return exports.respond(rows, as_format="csv")


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("reference", "customer", "holds", "status", "service", "about", "created_at", "resolved_at")
    list_select_related = ("wallet__user",)
    list_filter_submit = True
    list_filter = ("status", ("created_at", TimeRangeFilter), ("amount", AmountRangeFilter))
    search_fields = ("reference__startswith", "wallet__user__email__startswith")
    paginator = InfinitePaginator
    ordering = ("-id",)
    fields = (
        "reference",
        "customer",
        "holds",
        "status",
        "description",
        "service",
        "about",
        "created_at",
        "resolved_at",
    )

    customer = link("wallet.user", description=_("customer"))
    holds = amount("amount", description=_("amount"))
    about = resource
