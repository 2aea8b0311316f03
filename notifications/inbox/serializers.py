"""Shapes of the inbox's API."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.lib.api.serializers import BodySerializer, PageSerializer, RangeSerializer
from notifications import catalog
from notifications.inbox import selectors

_LARGEST = 2**63 - 1
_MOST_IDS = 1000


class NotificationSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    seq = serializers.IntegerField(help_text="Your own running number, without holes: one that is missing was lost.")
    type = serializers.ChoiceField(choices=sorted(catalog.CATALOG))
    category = serializers.ChoiceField(choices=sorted(catalog.CATEGORIES))
    priority = serializers.ChoiceField(choices=catalog.PRIORITIES)
    title = serializers.CharField()
    message = serializers.CharField()
    link = serializers.CharField()
    icon = serializers.CharField()
    is_read = serializers.BooleanField()
    created_at = serializers.DateTimeField()


@extend_schema_field({"type": "string", "pattern": r"^-?\d+\.\d{2}$"})
class AmountField(serializers.CharField):
    """Money that is text already."""


@extend_schema_field({"type": "array", "items": {"type": "object", "additionalProperties": True}})
class OpenVerificationsField(serializers.ListField):
    """As the sockets' `verification` frames."""


class InboxSerializer(serializers.Serializer):
    total = serializers.IntegerField(help_text="How many the query has in all.")
    unread = serializers.IntegerField()
    seq = serializers.IntegerField(help_text="The position of the inbox: what came later has a greater one.")
    balance = AmountField()
    available = AmountField()
    version = serializers.IntegerField(help_text="The number of the wallet's last movement.")
    open_verifications = OpenVerificationsField()
    notifications = NotificationSerializer(many=True)


class InboxQuerySerializer(PageSerializer):
    after = serializers.IntegerField(
        min_value=0,
        max_value=_LARGEST,
        required=False,
        help_text="Only what came after this seq, oldest first. The total counts these alone.",
    )
    before = serializers.IntegerField(
        min_value=1, max_value=_LARGEST, required=False, help_text="A seq: go on below it (deep lists, newest first)."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if {"before", "after"} <= attrs.keys():
            raise serializers.ValidationError({"before": _("Send either before or after.")})
        return attrs


class CentreSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    unread = serializers.IntegerField()
    seq = serializers.IntegerField()
    notifications = NotificationSerializer(many=True)


class CentreFilterSerializer(RangeSerializer):
    category = serializers.ChoiceField(choices=sorted(catalog.CATEGORIES), required=False)
    is_read = serializers.BooleanField(required=False, default=None, help_text="Only what was read, or was not.")
    sort = serializers.ChoiceField(choices=selectors.SORTS, default="newest")
    before = serializers.IntegerField(
        min_value=1, max_value=_LARGEST, required=False, help_text="Go on below this seq (deep lists, newest first)."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "before" in attrs and attrs["sort"] != "newest":
            raise serializers.ValidationError({"before": _("before goes with the sort newest.")})
        return super().validate(attrs)


class CentreQuerySerializer(CentreFilterSerializer, PageSerializer):
    after = serializers.IntegerField(
        min_value=0, max_value=_LARGEST, required=False, help_text="A seq: the page just above it (newest first)."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after" in attrs and attrs["sort"] != "newest":
            raise serializers.ValidationError({"after": _("after goes with the sort newest.")})
        return super().validate(attrs)


class CategorySerializer(serializers.Serializer):
    category = serializers.ChoiceField(choices=sorted(catalog.CATEGORIES))
    title = serializers.CharField()
    total = serializers.IntegerField()
    unread = serializers.IntegerField()


class CategoriesSerializer(serializers.Serializer):
    categories = CategorySerializer(many=True)


class SearchSerializer(BodySerializer, PageSerializer):
    body_required = False  # the words may stand in the address

    query = serializers.CharField(
        max_length=200, required=False, help_text="Words that all have to be there: here, or in the address."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "query" not in attrs:
            raise serializers.ValidationError({"query": _("Name the words to look for.")})
        return attrs


class SearchQuerySerializer(PageSerializer):
    """The same in the address."""

    query = serializers.CharField(
        max_length=200, required=False, help_text="Words that all have to be there: here, or in the body."
    )


class FoundSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    suggestions = serializers.ListField(child=serializers.CharField())
    notifications = NotificationSerializer(many=True)


class WhichSerializer(BodySerializer):
    """Either `ids` or `all: true`. Ids that aren't yours are passed over."""

    body_required = True  # though neither field is

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_LARGEST),
        required=False,
        min_length=1,
        max_length=_MOST_IDS,
    )
    all = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["all"] == ("ids" in attrs):
            raise serializers.ValidationError(_('Send either {"ids": [1, 2]} or {"all": true}.'))
        return {"ids": attrs.get("ids"), "all": attrs["all"]}


class ChangedSerializer(serializers.Serializer):
    changed = serializers.IntegerField(help_text="How many this changed; those that were so already don't count.")
    unread = serializers.IntegerField()
    seq = serializers.IntegerField()


class ExportQuerySerializer(CentreFilterSerializer):
    format = serializers.ChoiceField(choices=("csv", "json"), default="csv")


EXPORTED = {(200, "text/csv"): OpenApiTypes.STR, (200, "application/json"): NotificationSerializer(many=True)}
