"""Serializer fields that several apps use: amounts, times and days."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.lib import money
from config.lib.errors import field_messages


def _amount_schema(pattern: str, example: str) -> dict[str, str]:
    return {"type": "string", "pattern": f"^{pattern}$", "example": example}


@extend_schema_field(_amount_schema(r"-?\d{1,17}\.\d{2}", "-2.50"))
class MoneyField(serializers.Field):
    """Cents inside, a string with two places outside ("-2.50")."""

    pattern = r"-?[0-9]{1,17}\.[0-9]{2}"

    def to_representation(self, value: int) -> str:
        return money.to_text(value)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not re.fullmatch(self.pattern, data):
            raise serializers.ValidationError(_('Send the amount as a string with two places, such as "20.00".'))
        return money.to_cents(data)


@extend_schema_field(_amount_schema(r"([1-9][0-9]{0,16}\.[0-9]{2}|0\.[0-9][1-9]|0\.[1-9]0)", "2.50"))
class PositiveMoneyField(MoneyField):
    """An amount above zero."""

    def to_internal_value(self, data: Any) -> int:
        cents = super().to_internal_value(data)
        if cents <= 0 or not data[0].isdigit() or data[:2] == "00":
            raise serializers.ValidationError(_('Send an amount above "0.00".'))
        return cents


_TIME_OR_DAY = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}


@extend_schema_field(_TIME_OR_DAY)
class StartField(serializers.DateTimeField):
    """A time, or the beginning of a day."""

    default_error_messages = {"invalid": field_messages.A_TIME_OR_A_DAY}


_RESOLUTION = timedelta(microseconds=1)  # of the times in our database


@extend_schema_field(_TIME_OR_DAY)
class EndField(serializers.DateTimeField):
    """The last moment of a range, or its last day. In Python: the first moment that is no longer in it."""

    default_error_messages = {"invalid": field_messages.A_TIME_OR_A_DAY}

    def to_internal_value(self, value: Any) -> datetime:
        moment: datetime = super().to_internal_value(value)
        is_day = isinstance(value, str) and len(value.strip()) == len("2026-01-31")
        try:
            return moment + (timedelta(days=1) if is_day else _RESOLUTION)
        except OverflowError:
            return moment
