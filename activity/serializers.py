"""Shapes of the feed's API."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from activity import events
from activity.models import Actor
from config.lib.api.serializers import BodySerializer, PageSerializer, RangeSerializer

_LARGEST_ID = 2**63 - 1


class FeedFilterSerializer(RangeSerializer):
    activity_type = serializers.ChoiceField(choices=events.ACTIVITY_TYPES, required=False)
    resource_type = serializers.CharField(max_length=20, required=False, help_text='Such as "verification".')
    status = serializers.ChoiceField(choices=events.STATUSES, required=False)
    q = serializers.CharField(max_length=200, required=False, help_text="Words of the title, text or resource.")


class FeedCursorSerializer(PageSerializer):
    before = serializers.IntegerField(
        min_value=1, max_value=_LARGEST_ID, required=False, help_text="An id: go on below it (deep lists)."
    )
    after = serializers.IntegerField(
        min_value=1, max_value=_LARGEST_ID, required=False, help_text="An id: the page just above it."
    )


class FeedQuerySerializer(FeedFilterSerializer, FeedCursorSerializer):
    pass


class FeedExportSerializer(FeedFilterSerializer, BodySerializer):
    format = serializers.ChoiceField(choices=("csv", "json"), default="csv")


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class DataField(serializers.DictField):
    """What the event's row of the vocabulary declares; never a code."""


class ActivitySerializer(serializers.Serializer):
    id = serializers.IntegerField()
    event = serializers.CharField()
    activity_type = serializers.ChoiceField(choices=events.ACTIVITY_TYPES)
    resource_type = serializers.CharField()
    resource_id = serializers.CharField(allow_blank=True)
    action = serializers.ChoiceField(choices=events.ACTIONS)
    status = serializers.ChoiceField(choices=events.STATUSES)
    title = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    data = DataField()  # type: ignore[assignment]  # the field's name in the API
    actor = serializers.ChoiceField(choices=Actor.choices)
    ip_address = serializers.IPAddressField(allow_null=True)
    user_agent = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class ActivityListSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    activities = ActivitySerializer(many=True)


@extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
class CountsField(serializers.DictField):
    """Numbers by name."""


class OverviewSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    by_type = CountsField()
    by_status = CountsField()
    last_at = serializers.DateTimeField(allow_null=True)


EXPORTED = {(200, "text/csv"): OpenApiTypes.STR, (200, "application/json"): ActivitySerializer(many=True)}
