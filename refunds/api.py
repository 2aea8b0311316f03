"""Refunds by API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.selectors import customer
from config.lib.api.openapi import error_codes, response_example
from config.lib.api.view import ApiView
from config.lib.paging import list_page
from refunds import selectors
from refunds.serializers import RefundListSerializer, RefundQuerySerializer, RefundSerializer

_TAGS = ["refunds"]
_REFUND = {
    "reference": "ref_5f0c1d2e3a4b5c6d7e8f",
    "amount": "2.50",
    "currency": "USD",
    "status": "completed",
    "reason": "timeout",
    "destination": "wallet",
    "automatic": True,
    "verification_id": "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11",
    "service": "whatsapp",
    "created_at": "2026-11-21T09:45:00.000000Z",
    "completed_at": "2026-11-21T09:45:00.000000Z",
}


class RefundsView(ApiView):
    query_fields = RefundQuerySerializer

    @extend_schema(
        operation_id="refunds_list",
        tags=_TAGS,
        parameters=[RefundQuerySerializer],
        responses=RefundListSerializer,
        examples=[response_example("One", {"total": 1, "refunds": [_REFUND]})],
        extensions=error_codes("not_found"),
    )
    def get(self, request: Request) -> Response:
        """Your refunds, newest first."""
        user, given = customer(request), self.given
        total, refunds = list_page(
            selectors.refunds_of(user=user),
            given,
            "-created_at",
            "-id",
            find=lambda reference: selectors.refund_of(user=user, reference=reference),
        )
        return Response({"total": total, "refunds": RefundSerializer(refunds, many=True).data})


class RefundView(ApiView):
    @extend_schema(
        operation_id="refunds_retrieve",
        tags=_TAGS,
        responses=RefundSerializer,
        examples=[response_example("No code came", _REFUND)],
    )
    def get(self, request: Request, reference: str) -> Response:
        """One refund."""
        return Response(RefundSerializer(selectors.refund_of(user=customer(request), reference=reference)).data)
