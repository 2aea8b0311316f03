"""The wallet by API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.permissions import HasStaffPermissions
from accounts.selectors import customer
from config.lib.api.negotiation import FormatFieldNegotiation
from config.lib.api.openapi import response_example
from config.lib.api.view import ApiView
from config.lib.paging import list_page
from wallet import exports, selectors
from wallet.models import Transaction
from wallet.serializers import (
    BalanceSerializer,
    DetailedQuerySerializer,
    ExportQuerySerializer,
    MonitorQuerySerializer,
    MonitorSerializer,
    TransactionListSerializer,
    TransactionQuerySerializer,
    TransactionSerializer,
)

_TAGS = ["wallet"]
_PURCHASE = {
    "id": 4711,
    "sequence": 17,
    "amount": "-2.50",
    "type": "sms_purchase",
    "description": "WhatsApp, US",
    "service": "whatsapp",
    "status": "completed",
    "created_at": "2026-11-21T09:30:00.000000Z",
    "balance_after": "22.50",
    "reference": "verification:0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11:capture",
}
_LIST = response_example("One purchase", {"total": 17, "transactions": [_PURCHASE]})
_HELD = {"balance": "25.00", "held": "2.50", "available": "22.50", "currency": "USD", "version": 16}
_MONITOR = {
    "total_transactions": 3,
    "credits_added": "20.00",
    "credits_spent": "2.50",
    "refunds_issued": "2.50",
    "unique_users": 1,
    "by_type": {"credit": 1, "sms_purchase": 1, "verification_refund": 1},
    "amount_by_type": {"credit": "20.00", "sms_purchase": "-2.50", "verification_refund": "2.50"},
    "recent_transactions": [
        {
            "id": 4711,
            "user_id": 12,
            "amount": "-2.50",
            "type": "sms_purchase",
            "description": "WhatsApp, US",
            "created_at": "2026-11-21T09:30:00.000000Z",
        }
    ],
}


class BalanceView(ApiView):
    @extend_schema(
        operation_id="wallet_balance",
        tags=_TAGS,
        responses=BalanceSerializer,
        examples=[response_example("A purchase under way", _HELD)],
    )
    def get(self, request: Request) -> Response:
        """What you have, what of it is set aside, and what you can spend."""
        return Response(BalanceSerializer(selectors.balance_of(user=customer(request))).data)


class TransactionsView(ApiView):
    query_fields = TransactionQuerySerializer

    @extend_schema(
        operation_id="wallet_transactions",
        tags=_TAGS,
        parameters=[TransactionQuerySerializer],
        responses=TransactionListSerializer,
        examples=[_LIST],
    )
    def get(self, request: Request) -> Response:
        """Every movement of your money, newest first."""
        user = customer(request)
        # The journal has no gaps: its last sequence is its length.
        total = selectors.balance_of(user=user).version
        return _page(selectors.transactions_of(user=user), self.given, total=total)


class DetailedView(ApiView):
    query_fields = DetailedQuerySerializer

    @extend_schema(
        operation_id="wallet_transactions_detailed",
        tags=_TAGS,
        parameters=[DetailedQuerySerializer],
        responses=TransactionListSerializer,
        examples=[_LIST],
    )
    def get(self, request: Request) -> Response:
        """The movements of one type, or of some days."""
        return _page(_filtered(customer(request), self.given), self.given)


class ExportView(ApiView):
    query_fields = ExportQuerySerializer
    content_negotiation_class = FormatFieldNegotiation

    @extend_schema(
        operation_id="wallet_transactions_export",
        tags=_TAGS,
        parameters=[ExportQuerySerializer],
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="One line a transaction, under a header."),
            (200, "application/json"): TransactionSerializer(many=True),
        },
        examples=[
            response_example("CSV", "id,sequence,amount,type\r\n4711,17,-2.50,sms_purchase\r\n", media_type="text/csv"),
            response_example("JSON", _PURCHASE),
        ],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """All that the filters leave, as a file."""
        given = self.given
        return exports.respond(_filtered(customer(request), given), as_format=given["format"])


class MonitorView(ApiView):
    query_fields = MonitorQuerySerializer
    permission_classes = [HasStaffPermissions]
    staff_permissions = ("wallet.view_transaction",)

    @extend_schema(
        operation_id="admin_transactions_monitor",
        tags=["staff"],
        parameters=[MonitorQuerySerializer],
        responses=MonitorSerializer,
        examples=[response_example("An hour", _MONITOR)],
    )
    def get(self, request: Request) -> Response:
        """What moved in the last minutes, for staff."""
        since = timezone.now() - timedelta(minutes=self.given["minutes"])
        return Response(MonitorSerializer(selectors.monitor(since=since)).data)


def _filtered(user: User, given: dict[str, Any]) -> QuerySet[Transaction]:
    return selectors.transactions_of(
        user=user, type=given.get("type"), start=given.get("start_date"), end=given.get("end_date")
    )


def _page(rows: QuerySet[Transaction], given: dict[str, Any], *, total: int | None = None) -> Response:
    total, shown = list_page(rows, given, "-sequence", total=total)
    return Response({"total": total, "transactions": TransactionSerializer(shown, many=True).data})
