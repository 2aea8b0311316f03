"""Shapes of this app's API."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import ApiKey
from config.lib.api.serializers import BodySerializer


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiKey.SCOPES), read_only=True)

    class Meta:
        model = ApiKey
        fields = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at")
        extra_kwargs = {"prefix": {"help_text": "The secret's first letters, to tell keys apart."}}


class NewApiKeySerializer(BodySerializer):
    name = serializers.CharField(max_length=80, help_text="Where the key is used. One line.")
    scopes = serializers.MultipleChoiceField(
        choices=ApiKey.SCOPES,
        required=False,
        allow_empty=False,
        help_text="All of them where it is left out; of a key that asks, those that it has itself.",
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Null: it doesn't expire.")

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError(_("Enter a time in the future."))
        return value


class CreatedApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(help_text="The secret. It is shown this once.")

    class Meta:
        model = ApiKey
        fields = (*ApiKeySerializer.Meta.fields, "key")


class KeyListSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    keys = ApiKeySerializer(many=True)


class PolicySerializer(serializers.Serializer[Any]):
    version = serializers.CharField(help_text="The version in force.")
    accepted = serializers.BooleanField(help_text="Whether you accepted that version.")
    accepted_at = serializers.DateTimeField(allow_null=True)


@extend_schema_field({"type": "string", "enum": [settings.POLICY_VERSION]})
class VersionField(serializers.CharField):
    """A version of the policy."""


class AcceptPolicySerializer(BodySerializer):
    version = VersionField(max_length=20, help_text="The version that you have read: the one in force.")

    def validate_version(self, value: str) -> str:
        if value != settings.POLICY_VERSION:
            raise serializers.ValidationError(
                _("The version in force is {version}. Read it, then accept that one.").format(
                    version=settings.POLICY_VERSION
                )
            )
        return value
