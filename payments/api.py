"""Top-ups by API."""

from __future__ import annotations

from typing import cast

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from config.lib.api import PageSerializer, page
from payments import selectors, services
from payments.serializers import (
    InitializedSerializer,
    InitializeSerializer,
    PaymentListSerializer,
    PaymentSerializer,
)

_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 255 plain characters. The same key again answers with the payment that is there.",
)
_EXAMPLES = [
    OpenApiExample("Twenty dollars", value={"amount": "20.00"}, request_only=True),
    OpenApiExample(
        "Begun",
        value={
            "reference": "pay_5f0c1d2e3a4b5c6d7e8f",
            "checkout_url": "https://checkout.stripe.com/c/pay/cs_live_a1",
            "status": "initiated",
        },
        response_only=True,
    ),
]


def _customer(request: Request) -> User:
    return cast(User, request.user)  # HasScope lets nobody else in


class InitializeView(APIView):
    scope = "pay"

    @extend_schema(
        operation_id="payments_initialize",
        tags=["payments"],
        parameters=[_KEY],
        request=InitializeSerializer,
        responses={
            201: OpenApiResponse(InitializedSerializer, description="Begun: send the customer to checkout_url."),
            200: OpenApiResponse(InitializedSerializer, description="A known Idempotency-Key: the payment as it is."),
        },
        examples=_EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        """Begin a top-up.

        Credited is what the gateway says was paid. After a 503 the same Idempotency-Key goes on with the same payment.
        """
        form = InitializeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        payment = services.initiate(
            user=_customer(request),
            key=request.headers.get("Idempotency-Key"),
            now=timezone.now(),
            **form.validated_data,
        )
        return Response(
            InitializedSerializer(payment).data,
            status=200 if payment.replayed else 201,
            headers={"Idempotent-Replayed": "true"} if payment.replayed else None,
        )


class PaymentsView(APIView):
    @extend_schema(
        operation_id="payments_list", tags=["payments"], parameters=[PageSerializer], responses=PaymentListSerializer
    )
    def get(self, request: Request) -> Response:
        """Your payments, newest first."""
        total, payments = page(request, selectors.payments_of(user=_customer(request)))
        return Response({"total": total, "payments": PaymentSerializer(payments, many=True).data})


class PaymentView(APIView):
    @extend_schema(operation_id="payments_retrieve", tags=["payments"], responses=PaymentSerializer)
    def get(self, request: Request, reference: str) -> Response:
        """One payment."""
        return Response(PaymentSerializer(selectors.payment_of(user=_customer(request), reference=reference)).data)


class VerifyView(APIView):
    scope = "pay"

    @extend_schema(operation_id="payments_verify", tags=["payments"], request=None, responses=PaymentSerializer)
    def post(self, request: Request, reference: str) -> Response:
        """Ask the gateway now, instead of waiting for its webhook, and answer with the payment as it is then."""
        payment = selectors.payment_of(user=_customer(request), reference=reference)
        return Response(PaymentSerializer(services.settle(payment=payment, now=timezone.now())).data)
