"""The API's shapes of this app. Money in strings, times in ISO 8601 UTC."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.lib.api.fields import MoneyField, PositiveMoneyField
from config.lib.api.idempotency import IdempotentSerializer
from config.lib.api.serializers import PageSerializer, QuerySerializer
from verifications import selectors
from verifications.models import Message, Offer, Status, Verification

_COUNTRY_ERROR: dict[str, Any] = dict.fromkeys(
    ("invalid", "blank"), 'Send the country as two capital letters, such as "US".'
)
_AREA_CODE_ERROR: dict[str, Any] = dict.fromkeys(
    ("invalid", "blank"), 'Send the area code as three digits, such as "212".'
)


@extend_schema_field({"type": "string", "pattern": r"^([2-9]\d{2})?$"})
class AreaCodeField(serializers.RegexField):
    """Three digits, or none of them for any area."""


@extend_schema_field({"type": "string", "pattern": r"^\d{1,17}\.\d{2}$", "example": "0.50"})
class Price(MoneyField):
    """An amount in the deployment's currency."""


class CountrySerializer(serializers.Serializer):
    code = serializers.CharField(help_text="ISO 3166, two letters")
    name = serializers.CharField()
    services = serializers.IntegerField(help_text="How many may be bought there")


class CountryListSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    countries = CountrySerializer(many=True)


class ServiceQuerySerializer(PageSerializer):
    country = serializers.RegexField(
        r"^[A-Z]{2}\Z", default="US", error_messages=_COUNTRY_ERROR, help_text="Two capital letters (ISO 3166)"
    )
    q = serializers.CharField(max_length=80, default="", allow_blank=True, help_text="Part of the name or title")


class OfferQuerySerializer(QuerySerializer):
    country = serializers.RegexField(
        r"^[A-Z]{2}\Z", default="US", error_messages=_COUNTRY_ERROR, help_text="Two capital letters (ISO 3166)"
    )
    area_code = serializers.RegexField(
        r"^[2-9]\d{2}\Z", required=False, error_messages=_AREA_CODE_ERROR, help_text="Three digits: the price with it"
    )


class ServiceSerializer(serializers.Serializer[Offer]):
    service_name = serializers.CharField(source="service.name")
    title = serializers.CharField(source="service.title")
    category = serializers.CharField(source="service.category.name")
    country = serializers.CharField()
    capability = serializers.CharField()
    price = Price(allow_null=True, help_text="Null: not quoted yet; it is asked for when you buy")
    stock = serializers.IntegerField(allow_null=True, help_text="Null: not known")
    success_rate = serializers.FloatField(
        allow_null=True, help_text="Share of the last 7 days' numbers that got a code, 0 to 1; null: too few"
    )


class ServiceListSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    services = ServiceSerializer(many=True)


class VerificationQuerySerializer(PageSerializer):
    status = serializers.ChoiceField(choices=Status.values, required=False)
    before = serializers.UUIDField(required=False, help_text="An id: go on below it (deep lists).")
    after = serializers.UUIDField(required=False, help_text="An id: the page just above it.")


class CreateSerializer(IdempotentSerializer):
    service_name = serializers.CharField(max_length=80, help_text="From GET /api/v1/services")
    country = serializers.RegexField(r"^[A-Z]{2}\Z", default="US", error_messages=_COUNTRY_ERROR)
    capability = serializers.ChoiceField(choices=["sms"], default="sms")
    area_code = AreaCodeField(
        r"^[2-9]\d{2}\Z",
        default="",
        allow_blank=True,
        error_messages=_AREA_CODE_ERROR,
        help_text="Costs more: GET /api/v1/services/{name}?area_code= has the price. `max_price` keeps you from paying "
        "it unawares.",
    )
    max_price = PositiveMoneyField(required=False, allow_null=True, default=None, help_text="Refuse above this price")


class MessageSerializer(serializers.Serializer[Message]):
    sender = serializers.CharField()
    text = serializers.CharField()
    code = serializers.CharField(allow_null=True, help_text="What the provider read out of the text")
    received_at = serializers.DateTimeField()

    def to_representation(self, instance: Message) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {**shown, "code": shown["code"] or None}


class RefundSummarySerializer(serializers.Serializer):
    reference = serializers.CharField()
    amount = Price()
    status = serializers.CharField()
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()


class VerificationSerializer(serializers.Serializer[Verification]):
    id = serializers.UUIDField()
    service_name = serializers.CharField(source="service.name")
    country = serializers.CharField()
    capability = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.values)
    phone_number = serializers.SerializerMethodField()
    cost = Price(
        source="price",
        help_text="The price. It is charged once there is a number, and back where `refund` is; what `failed` without "
        "a refund was never charged",
    )
    currency = serializers.CharField()
    code = serializers.SerializerMethodField()
    sms_text = serializers.SerializerMethodField()
    messages = MessageSerializer(many=True)
    cancelling = serializers.BooleanField(
        source="is_cancelling",
        help_text="A cancel was asked for and the provider hasn't confirmed it yet; the refund, or the code that came "
        "first, follows by itself",
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.SerializerMethodField()
    failure_reason = serializers.SerializerMethodField()
    refund = serializers.SerializerMethodField()

    def get_phone_number(self, row: Verification) -> str | None:
        return row.phone_number or None

    def get_code(self, row: Verification) -> str | None:
        return selectors.code_of(row) or None

    def get_sms_text(self, row: Verification) -> str | None:
        return selectors.text_of(row) or None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_completed_at(self, row: Verification) -> Any:
        done = row.ended_at if row.status == Status.COMPLETED else None
        return serializers.DateTimeField().to_representation(done) if done else None

    def get_failure_reason(self, row: Verification) -> str | None:
        return row.failure_reason or None

    @extend_schema_field(RefundSummarySerializer(allow_null=True))
    def get_refund(self, row: Verification) -> Any:
        refund = selectors.refund_of(row)
        return RefundSummarySerializer(refund).data if refund else None


class VerificationListSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    verifications = VerificationSerializer(many=True)


class CancelledSerializer(serializers.Serializer):
    status = serializers.ChoiceField(choices=Status.values)
    refund_amount = Price(help_text='"0.00" until the provider has confirmed')
    new_balance = Price()
