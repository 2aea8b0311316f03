"""Shapes of the wallet's API."""

from __future__ import annotations

from django.conf import settings
from rest_framework import serializers

from config.lib.api.fields import MoneyField
from config.lib.api.serializers import PageSerializer, QuerySerializer, RangeSerializer
from wallet.models import Transaction, TransactionType, Wallet
from wallet.selectors import REFUND

_LARGEST = 2**63 - 1


class BalanceSerializer(serializers.ModelSerializer[Wallet]):
    balance = MoneyField(read_only=True, help_text="All that the journal adds up to.")
    held = MoneyField(read_only=True, help_text="Set aside for purchases under way.")
    available = MoneyField(read_only=True, help_text="What can be spent: balance less held.")
    currency = serializers.SerializerMethodField()

    class Meta:
        model = Wallet
        fields = ("balance", "held", "available", "currency", "version")
        read_only_fields = fields
        extra_kwargs = {"version": {"help_text": "Sequence of the last transaction."}}

    def get_currency(self, wallet: Wallet) -> str:
        return settings.CURRENCY


class TransactionSerializer(serializers.ModelSerializer[Transaction]):
    amount = MoneyField(read_only=True, help_text="Negative when it left the wallet.")
    balance_after = MoneyField(read_only=True)

    class Meta:
        model = Transaction
        fields = (
            "id",
            "sequence",
            "amount",
            "type",
            "description",
            "service",
            "status",
            "created_at",
            "balance_after",
            "reference",
        )
        read_only_fields = fields


class TransactionListSerializer(serializers.Serializer):
    total = serializers.IntegerField(help_text="How many there are, whatever the page.")
    transactions = TransactionSerializer(many=True)


class TransactionQuerySerializer(PageSerializer):
    after = serializers.IntegerField(
        min_value=0, max_value=_LARGEST, required=False, help_text="A sequence: the page just above it."
    )
    before = serializers.IntegerField(
        min_value=0, max_value=_LARGEST, required=False, help_text="A sequence: go on below it (deep lists)."
    )


class TransactionFilterSerializer(RangeSerializer):
    type = serializers.ChoiceField(
        choices=[*TransactionType.choices, (REFUND, "Both kinds of refund")],
        required=False,
        help_text='A type of transaction, or "refund" for verification_refund and payment_refund together.',
    )


class DetailedQuerySerializer(TransactionFilterSerializer, TransactionQuerySerializer):
    limit = serializers.IntegerField(min_value=1, max_value=100, default=50, help_text="How many rows at most.")


class ExportQuerySerializer(TransactionFilterSerializer):
    format = serializers.ChoiceField(choices=("csv", "json"), default="csv")


class MonitorQuerySerializer(QuerySerializer):
    minutes = serializers.IntegerField(min_value=1, max_value=7 * 24 * 60, default=60, help_text="How far back.")


class MonitoredSerializer(serializers.ModelSerializer[Transaction]):
    user_id = serializers.IntegerField(source="wallet.user_id", read_only=True)
    amount = MoneyField(read_only=True)

    class Meta:
        model = Transaction
        fields = ("id", "user_id", "amount", "type", "description", "created_at")
        read_only_fields = fields


class MonitorSerializer(serializers.Serializer):
    total_transactions = serializers.IntegerField()
    credits_added = MoneyField(help_text="Top-ups.")
    credits_spent = MoneyField(help_text="Number purchases, as a positive amount.")
    refunds_issued = MoneyField(help_text="Refunds of verifications.")
    unique_users = serializers.IntegerField()
    by_type = serializers.DictField(child=serializers.IntegerField(), help_text="How many of each type.")
    amount_by_type = serializers.DictField(child=MoneyField(), help_text="The sum of each type.")
    recent_transactions = MonitoredSerializer(many=True)
