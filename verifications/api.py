"""The catalogue and verifications by API."""

from __future__ import annotations

import uuid
from typing import Any, cast

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts.models import User
from config.lib.api import page
from config.lib.http import client_ip
from config.lib.throttling import PurchaseThrottle
from verifications import selectors, services
from verifications.serializers import (
    CancelledSerializer,
    CountryListSerializer,
    CreateSerializer,
    ServiceListSerializer,
    ServiceQuerySerializer,
    VerificationListSerializer,
    VerificationQuerySerializer,
    VerificationSerializer,
)
from wallet.selectors import balance_of

_TAG = ["verifications"]
_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 255 plain characters. The same request again under the same key buys nothing, and answers 200.",
)
_ID = "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11"
_WAITING: dict[str, Any] = {
    "id": _ID,
    "service_name": "whatsapp",
    "country": "US",
    "capability": "sms",
    "status": "waiting",
    "phone_number": "2125550123",
    "cost": "2.50",
    "currency": "USD",
    "code": None,
    "sms_text": None,
    "messages": [],
    "created_at": "2026-11-21T10:00:00Z",
    "expires_at": "2026-11-21T10:15:00Z",
    "completed_at": None,
    "failure_reason": None,
    "refund": None,
}
_COMPLETED = {
    **_WAITING,
    "status": "completed",
    "code": "123456",
    "sms_text": "Your code is 123456.",
    "messages": [
        {
            "sender": "22000",
            "text": "Your code is 123456.",
            "code": "123456",
            "received_at": "2026-11-21T10:00:20Z",
        }
    ],
    "completed_at": "2026-11-21T10:00:21Z",
}


def _customer(request: Request) -> User:
    return cast(User, request.user)  # HasScope lets nobody else in


class CountriesView(APIView):
    @extend_schema(operation_id="countries_list", tags=["catalogue"], responses=CountryListSerializer)
    def get(self, request: Request) -> Response:
        """Countries in which numbers are sold."""
        found = selectors.countries()
        return Response(CountryListSerializer({"total": len(found), "countries": found}).data)


class ServicesView(APIView):
    @extend_schema(
        operation_id="services_list",
        tags=["catalogue"],
        parameters=[ServiceQuerySerializer],
        responses=ServiceListSerializer,
        examples=[
            OpenApiExample(
                "WhatsApp",
                value={
                    "total": 1,
                    "services": [
                        {
                            "service_name": "whatsapp",
                            "title": "WhatsApp",
                            "category": "Messaging",
                            "country": "US",
                            "capability": "sms",
                            "price": "2.50",
                            "stock": 500,
                            "success_rate": 0.91,
                        }
                    ],
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """What may be bought in a country, with price, stock and how often a code came lately."""
        query = ServiceQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        offers = selectors.services_for_sale(country=query.validated_data["country"], query=query.validated_data["q"])
        total, rows = page(request, offers)
        return Response(ServiceListSerializer({"total": total, "services": rows}).data)


class CreateView(APIView):
    scope = "buy"

    def get_throttles(self) -> list[BaseThrottle]:
        return [*super().get_throttles(), PurchaseThrottle()]

    @extend_schema(
        operation_id="verify_create",
        tags=_TAG,
        parameters=[_KEY],
        request=CreateSerializer,
        responses={
            201: OpenApiResponse(
                VerificationSerializer,
                description="Bought; or `requested`, where the provider's answer is not known yet: look again.",
            ),
            200: OpenApiResponse(VerificationSerializer, description="A known key: the verification as it stands."),
        },
        examples=[
            OpenApiExample(
                "A number for WhatsApp",
                value={"service_name": "whatsapp", "country": "US", "max_price": "3.00", "idempotency_key": _ID},
                request_only=True,
            ),
            OpenApiExample("Waiting for the code", value=_WAITING, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Buy a number. Its price is held first, and charged when there is a number.

        What the provider refuses is not charged; the problem document then has a `verification_id`.
        """
        form = CreateSerializer(data=request.data, context={"key": request.headers.get("Idempotency-Key")})
        form.is_valid(raise_exception=True)
        order = dict(form.validated_data)
        purchase = services.buy(
            user=_customer(request), key=order.pop("idempotency_key"), ip_address=client_ip(request), **order
        )
        return Response(
            VerificationSerializer(purchase.verification).data,
            status=200 if purchase.replayed else 201,
            headers={"Idempotent-Replayed": "true"} if purchase.replayed else None,
        )


class VerificationsView(APIView):
    @extend_schema(
        operation_id="verify_list",
        tags=_TAG,
        parameters=[VerificationQuerySerializer],
        responses=VerificationListSerializer,
        examples=[OpenApiExample("One", value={"total": 1, "verifications": [_COMPLETED]}, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        """Your verifications, newest first."""
        query = VerificationQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = {name: query.validated_data.get(name) for name in ("status", "before", "after")}
        total, rows = page(request, selectors.verifications_of(user=_customer(request), **wanted))
        return Response(VerificationListSerializer({"total": total, "verifications": rows}).data)


class VerificationView(APIView):
    @extend_schema(
        operation_id="verify_retrieve",
        tags=_TAG,
        responses=VerificationSerializer,
        examples=[OpenApiExample("Completed", value=_COMPLETED, response_only=True)],
    )
    def get(self, request: Request, verification_id: uuid.UUID) -> Response:
        """One verification, with its code once it is there."""
        found = selectors.verification_of(user=_customer(request), verification_id=verification_id)
        return Response(VerificationSerializer(found).data)


class CancelView(APIView):
    scope = "buy"

    @extend_schema(
        operation_id="verify_cancel",
        tags=_TAG,
        request=None,
        responses={
            200: OpenApiResponse(CancelledSerializer, description="Cancelled and refunded; again: the same."),
            202: OpenApiResponse(
                CancelledSerializer, description="Asked for; the refund comes when the provider has confirmed."
            ),
        },
        examples=[
            OpenApiExample(
                "Cancelled",
                value={"status": "cancelled", "refund_amount": "2.50", "new_balance": "25.00"},
                response_only=True,
            )
        ],
    )
    def post(self, request: Request, verification_id: uuid.UUID) -> Response:
        """Give a number back that got no code, for a refund of the whole price."""
        user = _customer(request)
        cancellation = services.cancel(user=user, verification_id=verification_id)
        refund = selectors.refund_of(cancellation.verification)
        body = {
            "status": cancellation.verification.status,
            "refund_amount": refund.amount if refund else 0,
            "new_balance": balance_of(user=user).balance,
        }
        return Response(CancelledSerializer(body).data, status=202 if cancellation.pending else 200)
