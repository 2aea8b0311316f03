"""The catalogue and verifications by API."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.selectors import customer
from config.lib.api.idempotency import created_response, idempotency_key_of
from config.lib.api.openapi import REPLAYED, error_codes, idempotency_key, request_example, response_example
from config.lib.api.serializers import PageSerializer
from config.lib.api.throttling import PurchaseThrottle
from config.lib.api.view import ApiView
from config.lib.paging import list_page
from verifications import favourites, selectors, services
from verifications.serializers import (
    CancelledSerializer,
    CountryListSerializer,
    CreateSerializer,
    OfferQuerySerializer,
    ServiceListSerializer,
    ServiceQuerySerializer,
    ServiceSerializer,
    VerificationListSerializer,
    VerificationQuerySerializer,
    VerificationSerializer,
)
from wallet.selectors import balance_of

_TAG = ["verifications"]
_KEY = idempotency_key(
    "Up to 255 plain characters, of your own making. The same request again under the same key buys nothing, and "
    "answers 200 with what was bought. The body's idempotency_key does the same."
)
_ID = "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11"
_NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="A service_name of GET /api/v1/services")
_OFFER: dict[str, Any] = {
    "service_name": "whatsapp",
    "title": "WhatsApp",
    "category": "Messaging",
    "country": "US",
    "capability": "sms",
    "price": "2.50",
    "stock": 500,
    "success_rate": 0.91,
}
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
    "cancelling": False,
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


class CountriesView(ApiView):
    query_fields = PageSerializer

    @extend_schema(
        operation_id="countries_list",
        tags=["catalogue"],
        parameters=[PageSerializer],
        responses=CountryListSerializer,
        examples=[
            response_example(
                "One", {"total": 1, "countries": [{"code": "US", "name": "United States", "services": 310}]}
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Countries in which numbers are sold."""
        total, found = list_page(selectors.countries(), self.given)
        return Response(CountryListSerializer({"total": total, "countries": found}).data)


class ServicesView(ApiView):
    query_fields = ServiceQuerySerializer

    @extend_schema(
        operation_id="services_list",
        tags=["catalogue"],
        parameters=[ServiceQuerySerializer],
        responses=ServiceListSerializer,
        examples=[
            response_example(
                "WhatsApp",
                {
                    "total": 1,
                    "services": [_OFFER],
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """What may be bought in a country, with price, stock and how often a code came lately."""
        offers = selectors.services_for_sale(country=self.given["country"], query=self.given["q"])
        total, rows = list_page(offers, self.given)
        return Response(ServiceListSerializer({"total": total, "services": rows}).data)


class ServiceView(ApiView):
    query_fields = OfferQuerySerializer

    @extend_schema(
        operation_id="services_retrieve",
        tags=["catalogue"],
        parameters=[_NAME, OfferQuerySerializer],
        responses=ServiceSerializer,
        examples=[response_example("WhatsApp", _OFFER)],
        extensions=error_codes("unknown_service", "service_blocked", "out_of_stock", "provider_unavailable"),
    )
    def get(self, request: Request, name: str) -> Response:
        """One service, with the price that a purchase would cost now; with an area code that costs more, that price."""
        priced = services.price_service(service_name=name, **self.given)
        priced.offer.price = priced.price
        return Response(ServiceSerializer(priced.offer).data)


class FavouritesView(ApiView):
    query_fields = PageSerializer

    @extend_schema(
        operation_id="favourites_list",
        tags=["catalogue"],
        parameters=[PageSerializer],
        responses=ServiceListSerializer,
        examples=[response_example("WhatsApp", {"total": 1, "services": [_OFFER]})],
    )
    def get(self, request: Request) -> Response:
        """The services that you keep at hand, as far as they are for sale."""
        total, rows = list_page(favourites.favourites_of(user=customer(request)), self.given)
        return Response(ServiceListSerializer({"total": total, "services": rows}).data)


class FavouriteView(ApiView):
    scope = "buy"

    @extend_schema(
        operation_id="favourites_add",
        tags=["catalogue"],
        parameters=[_NAME],
        request=None,
        responses={204: OpenApiResponse(description="Kept; again: the same.")},
        extensions=error_codes("unknown_service"),
    )
    def put(self, request: Request, name: str) -> Response:
        """Keep a service at hand in the shop."""
        services.add_favourite(user=customer(request), service_name=name)
        return Response(status=204)

    @extend_schema(
        operation_id="favourites_remove",
        tags=["catalogue"],
        parameters=[_NAME],
        request=None,
        responses={204: OpenApiResponse(description="Kept no longer; again: the same.")},
    )
    def delete(self, request: Request, name: str) -> Response:
        """Keep it no longer."""
        services.remove_favourite(user=customer(request), service_name=name)
        return Response(status=204)


class CreateView(ApiView):
    with_body = ("POST",)
    scope = "buy"

    def get_throttles(self) -> list[BaseThrottle]:
        return [*super().get_throttles(), PurchaseThrottle()]

    @extend_schema(
        operation_id="verify_create",
        tags=_TAG,
        parameters=[_KEY, REPLAYED],
        request=CreateSerializer,
        responses={
            201: OpenApiResponse(
                VerificationSerializer,
                description="Bought; or `requested`, where the provider's answer is not known yet: we are getting it, "
                "look again.",
            ),
            200: OpenApiResponse(VerificationSerializer, description="A known key: the verification as it stands."),
        },
        examples=[
            request_example(
                "A number for WhatsApp", {"service_name": "whatsapp", "country": "US", "max_price": "3.00"}
            ),
            response_example("Waiting for the code", _WAITING, 200, 201),
        ],
        extensions=error_codes(
            "insufficient_funds",
            "policy_not_accepted",
            "service_blocked",
            "purchases_frozen",
            "unknown_service",
            "price_moved",
            "out_of_stock",
            "in_progress",
            "key_reused",
            "over_limit",
            "provider_unavailable",
        ),
    )
    def post(self, request: Request) -> Response:
        """Buy a number. Its price is held first, and charged when there is a number.

        What the provider refuses is not charged; the problem document then has a `verification_id`.
        """
        form = CreateSerializer(data=request.data, context={"key": idempotency_key_of(request)})
        form.is_valid(raise_exception=True)
        order = dict(form.validated_data)
        purchase = services.buy(user=customer(request), key=order.pop("idempotency_key"), **order)
        selectors.prefetch_shown(purchase.verification, just_bought=not purchase.replayed)
        return created_response(purchase, VerificationSerializer(purchase.verification).data)


class VerificationsView(ApiView):
    query_fields = VerificationQuerySerializer

    @extend_schema(
        operation_id="verify_list",
        tags=_TAG,
        parameters=[VerificationQuerySerializer],
        responses=VerificationListSerializer,
        examples=[response_example("One", {"total": 1, "verifications": [_COMPLETED]})],
        extensions=error_codes("not_found"),
    )
    def get(self, request: Request) -> Response:
        """Your verifications, newest first."""
        user = customer(request)
        total, rows = list_page(
            selectors.verifications_of(user=user, status=self.given.get("status")),
            self.given,
            "-created_at",
            "-id",
            find=lambda verification_id: selectors.place_of(user=user, verification_id=verification_id),
        )
        return Response(VerificationListSerializer({"total": total, "verifications": rows}).data)


class VerificationView(ApiView):
    @extend_schema(
        operation_id="verify_retrieve",
        tags=_TAG,
        responses=VerificationSerializer,
        examples=[response_example("Completed", _COMPLETED)],
    )
    def get(self, request: Request, verification_id: uuid.UUID) -> Response:
        """One verification, with its code once it is there."""
        found = selectors.verification_of(user=customer(request), verification_id=verification_id)
        return Response(VerificationSerializer(found).data)


class CancelView(ApiView):
    scope = "buy"

    @extend_schema(
        operation_id="verify_cancel",
        tags=_TAG,
        request=None,
        responses={
            200: OpenApiResponse(CancelledSerializer, description="Cancelled and refunded; again: the same."),
            202: OpenApiResponse(
                CancelledSerializer,
                description="Being cancelled (`cancelling` of the verification); the refund comes when the provider "
                "has confirmed, or the code that was there first.",
            ),
        },
        examples=[
            response_example("Cancelled", {"status": "cancelled", "refund_amount": "2.50", "new_balance": "25.00"}),
            response_example("Asked for", {"status": "waiting", "refund_amount": "0.00", "new_balance": "22.50"}, 202),
        ],
        extensions=error_codes("too_early", "already_ended", "over_limit", "provider_unavailable"),
    )
    def post(self, request: Request, verification_id: uuid.UUID) -> Response:
        """Give a number back that got no code, for a refund of the whole price."""
        user = customer(request)
        cancellation = services.cancel(user=user, verification_id=verification_id)
        refund = selectors.refund_of(cancellation.verification)
        body = {
            "status": cancellation.verification.status,
            "refund_amount": refund.amount if refund else 0,
            "new_balance": balance_of(user=user).balance,
        }
        return Response(CancelledSerializer(body).data, status=202 if cancellation.pending else 200)
