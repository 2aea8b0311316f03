"""Payments in the console: view them, ask the gateway again."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from config.lib.admin import ReadOnlyAdmin, amount, link
from config.lib.errors.base import DomainError
from payments import services
from payments.models import Payment


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("reference", "customer", "shown_amount", "currency", "gateway", "status", "created_at")
    list_select_related = ("user",)
    # No filter or hierarchy that reads the whole table for its choices.
    list_filter = ("status", ("mismatch", admin.EmptyFieldListFilter))
    search_fields = ("reference__exact", "gateway_id__exact", "user__email__icontains")
    search_help_text = gettext_lazy("A reference, the gateway's ID, or a part of the customer's e-mail address")
    actions = ("ask_gateway",)
    fields = (
        "reference",
        "customer",
        "shown_amount",
        "paid_instead",
        "currency",
        "gateway",
        "gateway_id",
        "status",
        "failure_reason",
        "idempotency_key",
        "created_at",
        "expires_at",
        "next_check_at",
        "completed_at",
    )
    readonly_fields = ("customer", "shown_amount", "paid_instead")

    customer = link("user", description=str(gettext_lazy("customer")))
    shown_amount = amount("amount", description=str(gettext_lazy("amount")))

    @admin.display(description=gettext_lazy("paid instead"), empty_value="-")
    def paid_instead(self, payment: Payment) -> str:
        return payment.paid_instead

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.settle_payment")

    @admin.action(description=gettext_lazy("Ask the gateway how it stands"), permissions=["settle"])
    def ask_gateway(self, request: HttpRequest, payments: QuerySet[Payment]) -> None:
        for payment in payments:
            try:
                settled = services.settle(payment=payment, now=timezone.now())
            except DomainError as refusal:
                self.message_user(request, f"{payment.reference}: {refusal.detail}", messages.WARNING)
            else:
                self.message_user(request, f"{payment.reference}: {settled.get_status_display()}")
