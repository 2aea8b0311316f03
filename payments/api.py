"""Top-ups by API."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.selectors import customer
from config.lib.api.idempotency import created_response, idempotency_key_of
from config.lib.api.openapi import REPLAYED, error_codes, idempotency_key, request_example, response_example
from config.lib.api.view import ApiView
from config.lib.paging import list_page
from payments import selectors, services
from payments.serializers import (
    InitializedSerializer,
    InitializeSerializer,
    PaymentListSerializer,
    PaymentQuerySerializer,
    PaymentSerializer,
)

_KEY = idempotency_key(
    "Up to 255 plain characters, of your own making. The same key again answers with the payment that is there, and "
    "goes on with it where the gateway did not answer before. The body's idempotency_key does the same."
)
_BEGUN = {
    "reference": "pay_5f0c1d2e3a4b5c6d7e8f",
    "checkout_url": "https://checkout.stripe.com/c/pay/cs_live_a1",
    "status": "initiated",
}
_COMPLETED: dict[str, Any] = {
    "reference": "pay_5f0c1d2e3a4b5c6d7e8f",
    "gateway": "stripe",
    "amount": "20.00",
    "currency": "USD",
    "status": "completed",
    "checkout_url": "",
    "failure_reason": "",
    "created_at": "2026-11-21T09:00:00.000000Z",
    "expires_at": "2026-11-21T11:00:00.000000Z",
    "completed_at": "2026-11-21T09:01:12.000000Z",
}


class InitializeView(ApiView):
    with_body = ("POST",)
    scope = "pay"

    @extend_schema(
        operation_id="payments_initialize",
        tags=["payments"],
        parameters=[_KEY, REPLAYED],
        request=InitializeSerializer,
        responses={
            201: OpenApiResponse(InitializedSerializer, description="Begun: send the customer to checkout_url."),
            200: OpenApiResponse(InitializedSerializer, description="A known Idempotency-Key: the payment as it is."),
        },
        examples=[request_example("Twenty dollars", {"amount": "20.00"}), response_example("Begun", _BEGUN, 200, 201)],
        extensions=error_codes("key_reused", "over_limit", "gateway_unavailable"),
    )
    def post(self, request: Request) -> Response:
        """Begin a top-up.

        Credited is what the gateway says was paid. After a 503 the same Idempotency-Key goes on with the same payment.
        """
        form = InitializeSerializer(data=request.data, context={"key": idempotency_key_of(request)})
        form.is_valid(raise_exception=True)
        given = form.validated_data
        top_up = services.initiate(
            user=customer(request),
            amount=given["amount"],
            gateway=given.get("gateway"),
            key=given["idempotency_key"],
            now=timezone.now(),
        )
        return created_response(top_up, InitializedSerializer(top_up.payment).data)


class PaymentsView(ApiView):
    query_fields = PaymentQuerySerializer

    @extend_schema(
        operation_id="payments_list",
        tags=["payments"],
        parameters=[PaymentQuerySerializer],
        responses=PaymentListSerializer,
        examples=[response_example("One payment", {"total": 1, "payments": [_COMPLETED]})],
        extensions=error_codes("not_found"),
    )
    def get(self, request: Request) -> Response:
        """Your payments, newest first."""
        user = customer(request)
        total, payments = list_page(
            selectors.payments_of(user=user),
            self.given,
            *selectors.NEWEST_FIRST,
            find=lambda reference: selectors.payment_of(user=user, reference=reference),
        )
        return Response({"total": total, "payments": PaymentSerializer(payments, many=True).data})


class PaymentView(ApiView):
    @extend_schema(
        operation_id="payments_retrieve",
        tags=["payments"],
        responses=PaymentSerializer,
        examples=[response_example("Completed", _COMPLETED)],
    )
    def get(self, request: Request, reference: str) -> Response:
        """One payment."""
        return Response(PaymentSerializer(selectors.payment_of(user=customer(request), reference=reference)).data)


class VerifyView(ApiView):
    scope = "pay"

    @extend_schema(
        operation_id="payments_verify",
        tags=["payments"],
        request=None,
        responses=PaymentSerializer,
        examples=[response_example("Completed", _COMPLETED)],
        extensions=error_codes("gateway_unavailable"),
    )
    def post(self, request: Request, reference: str) -> Response:
        """Ask the gateway now, instead of waiting for its webhook, and answer with the payment as it is then."""
        payment = selectors.payment_of(user=customer(request), reference=reference)
        return Response(PaymentSerializer(services.settle(payment=payment, now=timezone.now())).data)
