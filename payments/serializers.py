"""Shapes of the payments API."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from config.lib.api.fields import MoneyField, PositiveMoneyField
from config.lib.api.idempotency import IdempotentSerializer
from config.lib.api.serializers import PageSerializer
from payments import gateways
from payments.models import Payment, PaymentStatus


class InitializeSerializer(IdempotentSerializer):
    amount = PositiveMoneyField(help_text='How much to add to the wallet, as a string with two places: "20.00".')
    gateway = serializers.ChoiceField(
        choices=sorted(gateways.GATEWAYS), required=False, help_text="The house's own choice where it is left out."
    )
    currency = serializers.ChoiceField(
        choices=[settings.CURRENCY], required=False, help_text="The wallet's own, or leave it out."
    )


class CheckoutUrlField(serializers.CharField):
    """Where to pay; empty once there is nothing to pay any more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            source="*", read_only=True, help_text="Send the customer there. Empty once it is over.", **kwargs
        )

    def to_representation(self, value: Any) -> str:
        return value.checkout_url if value.status == PaymentStatus.INITIATED else ""


class InitializedSerializer(serializers.Serializer):
    reference = serializers.CharField()
    checkout_url = CheckoutUrlField()
    status = serializers.ChoiceField(choices=PaymentStatus.choices)


class PaymentSerializer(serializers.ModelSerializer):
    amount = MoneyField(read_only=True)
    checkout_url = CheckoutUrlField()

    class Meta:
        model = Payment
        fields = (
            "reference",
            "gateway",
            "amount",
            "currency",
            "status",
            "checkout_url",
            "failure_reason",
            "created_at",
            "expires_at",
            "completed_at",
        )
        read_only_fields = fields


class PaymentQuerySerializer(PageSerializer):
    before = serializers.SlugField(max_length=40, required=False, help_text="A reference: go on below it (deep lists).")
    after = serializers.SlugField(max_length=40, required=False, help_text="A reference: the page just above it.")


class PaymentListSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    payments = PaymentSerializer(many=True)
