"""What endpoints share: money fields and lists."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request

from config.lib import money


class MoneyField(serializers.Field):
    """Cents inside, a string with two places outside ("-2.50")."""

    def to_representation(self, value: int) -> str:
        return money.to_text(value)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool | float) or not isinstance(data, str | int):
            raise serializers.ValidationError(_('Send the amount as a string with two places, such as "20.00".'))
        try:
            return money.to_cents(data)
        except ValueError as error:
            raise serializers.ValidationError(
                _('Send the amount as a string with two places, such as "20.00".')
            ) from error


class PageSerializer(serializers.Serializer):
    """The query of every list: `skip` (0 or more) and `limit` (1 to 100)."""

    skip = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)


def page(request: Request, queryset: QuerySet[Any]) -> tuple[int, list[Any]]:
    """(total, the rows of the page asked for). Raises ValidationError for a bad `skip` or `limit`."""
    query = PageSerializer(data={k: request.query_params[k] for k in ("skip", "limit") if k in request.query_params})
    query.is_valid(raise_exception=True)
    skip, limit = query.validated_data["skip"], query.validated_data["limit"]
    return queryset.count(), list(queryset[skip : skip + limit])
