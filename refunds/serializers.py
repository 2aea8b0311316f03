"""Shapes of the refunds API."""

from __future__ import annotations

from django.conf import settings
from rest_framework import serializers

from config.lib.api.fields import MoneyField
from config.lib.api.serializers import PageSerializer
from refunds.models import Refund


class RefundSerializer(serializers.ModelSerializer[Refund]):
    amount = MoneyField(read_only=True)
    currency = serializers.SerializerMethodField()
    destination = serializers.SerializerMethodField(help_text="Where the money went.")
    verification_id = serializers.UUIDField(read_only=True, allow_null=True)
    service = serializers.CharField(source="verification.service.name", read_only=True, default=None, allow_null=True)

    class Meta:
        model = Refund
        fields = (
            "reference",
            "amount",
            "currency",
            "status",
            "reason",
            "destination",
            "automatic",
            "verification_id",
            "service",
            "created_at",
            "completed_at",
        )
        read_only_fields = fields

    def get_currency(self, refund: Refund) -> str:
        return settings.CURRENCY

    def get_destination(self, refund: Refund) -> str:
        return "wallet"


class RefundQuerySerializer(PageSerializer):
    before = serializers.SlugField(max_length=40, required=False, help_text="A reference: go on below it (deep lists).")
    after = serializers.SlugField(max_length=40, required=False, help_text="A reference: the page just above it.")


class RefundListSerializer(serializers.Serializer):
    total = serializers.IntegerField(help_text="How many there are, whatever the page.")
    refunds = RefundSerializer(many=True)
