"""Shapes of this app's API."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.models import ApiKey


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    class Meta:
        model = ApiKey
        fields = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at")


class NewApiKeySerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    scopes = serializers.MultipleChoiceField(choices=ApiKey.SCOPES, required=False, allow_empty=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("Give a time that is still to come.")
        return value


class CreatedApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(help_text="The secret. It is shown this once.")

    class Meta:
        model = ApiKey
        fields = (*ApiKeySerializer.Meta.fields, "key")


class KeyListSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    keys = ApiKeySerializer(many=True)
