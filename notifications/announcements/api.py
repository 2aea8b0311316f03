"""API of announcements, for staff."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import HasStaffPermissions
from config.lib.api.openapi import error_codes, request_example, response_example
from config.lib.api.serializers import BodySerializer
from config.lib.api.view import ApiView
from notifications.announcements import services


class BroadcastSerializer(BodySerializer):
    title = serializers.CharField(max_length=80)
    text = serializers.CharField(max_length=200)
    link = serializers.RegexField(
        r"^/(?![/\\])[^\s\\]*$",
        max_length=200,
        default="/",
        error_messages={"invalid": _("Give a path on this site that begins with one slash, such as /help.")},
    )
    user_id = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="To this customer alone."
    )


class BroadcastedSerializer(serializers.Serializer):
    announcement_id = serializers.CharField()
    recipients = serializers.IntegerField()


class BroadcastView(ApiView):
    with_body = ("POST",)
    permission_classes = [HasStaffPermissions]
    staff_permissions = ("notifications.announce",)

    @extend_schema(
        operation_id="websocket_broadcast",
        tags=["websocket", "staff"],
        request=BroadcastSerializer,
        responses={200: BroadcastedSerializer, 202: BroadcastedSerializer},
        examples=[
            request_example("To all", {"title": "Maintenance", "text": "We are back at 10:00 UTC.", "link": "/help"}),
            response_example("Announced", {"announcement_id": "0b6c7f7e3c5e4a53", "recipients": 812}, 200, 202),
        ],
        extensions=error_codes("not_found", "workers_unavailable"),
    )
    def post(self, request: Request) -> Response:
        """Announce something to one customer (200), or to all (202: a worker notifies them one by one). Staff."""
        form = BroadcastSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given: dict[str, Any] = dict(form.validated_data)
        user_id = given.pop("user_id", None)
        if user_id is not None:
            announcement = services.announce_to(user_id=user_id, now=timezone.now(), **given)
        else:
            announcement = services.announce_to_all(now=timezone.now(), **given)
        answer = {"announcement_id": announcement.id, "recipients": announcement.recipients}
        return Response(answer, status=202 if user_id is None else 200)
