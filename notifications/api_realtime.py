"""The sockets' side doors: tickets, how many are open, and announcements to everyone."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiKey, User
from accounts.permissions import StaffMay
from config.lib.api import BodySerializer
from config.lib.api_view import ApiView
from config.lib.openapi import answered, asked, refusals
from notifications import announcements, hub, realtime, tickets

_TAGS = ["websocket"]


class TicketSerializer(serializers.Serializer):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
    url = serializers.CharField(help_text="Where to connect with it, once.")


class StatusSerializer(serializers.Serializer):
    connections = serializers.IntegerField(help_text="Open sockets, of all processes as last heard (10 s).")
    messages = serializers.IntegerField(help_text="Frames published so far.")
    here = serializers.IntegerField(help_text="Open sockets of the process that answers.")
    complete = serializers.BooleanField(help_text="Whether the other processes are in these numbers.")


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


class TicketView(ApiView):
    scope = "read"

    @extend_schema(
        operation_id="websocket_ticket",
        tags=_TAGS,
        request=None,
        responses={201: TicketSerializer},
        examples=[
            answered(
                "For a minute",
                {
                    "ticket": "Zm9yLW9uZS1jb25uZWN0aW9u",
                    "expires_in": 60,
                    "url": "wss://ringfence.example/ws/notifications/12?token=Zm9yLW9uZS1jb25uZWN0aW9u",
                },
                201,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """A pass for one connection, where neither a cookie nor a header can be sent. Good once, for a minute."""
        user = cast(User, request.user)
        key = request.auth if isinstance(request.auth, ApiKey) else None
        session_key = "" if key else (request.session.session_key or "")
        _ticket, secret = tickets.issue(user=user, api_key=key, session_key=session_key, now=timezone.now())
        address = settings.PUBLIC_URL.replace("http", "ws", 1)
        return Response(
            {
                "ticket": secret,
                "expires_in": settings.TICKET_SECONDS,
                "url": f"{address}/ws/notifications/{user.pk}?token={secret}",
            },
            status=201,
        )


class StatusView(ApiView):
    @extend_schema(
        operation_id="websocket_status",
        tags=_TAGS,
        responses=StatusSerializer,
        examples=[answered("Now", {"connections": 812, "messages": 90210, "here": 406, "complete": True})],
    )
    def get(self, request: Request) -> Response:
        """How many sockets are open, and how many frames were published."""
        here, shared = hub.connections(), realtime.shared_counts()
        sockets, published = shared or ({}, {})
        elsewhere = sum(count for process, count in sockets.items() if process != hub.process_name())
        return Response(
            {
                "connections": here + elsewhere,
                "messages": sum(published.values()),
                "here": here,
                "complete": shared is not None,
            }
        )


class BroadcastView(ApiView):
    with_body = ("POST",)
    permission_classes = [StaffMay]
    staff_permissions = ("notifications.announce",)

    @extend_schema(
        operation_id="websocket_broadcast",
        tags=[*_TAGS, "staff"],
        request=BroadcastSerializer,
        responses={200: BroadcastedSerializer, 202: BroadcastedSerializer},
        examples=[
            asked("To all", {"title": "Maintenance", "text": "We are back at 10:00 UTC.", "link": "/help"}),
            answered("Announced", {"announcement_id": "0b6c7f7e3c5e4a53", "recipients": 812}, 200, 202),
        ],
        extensions=refusals("not_found", "workers_unavailable"),
    )
    def post(self, request: Request) -> Response:
        """Announce something to one customer (200), or to all (202: a worker tells them one after the other). Staff."""
        form = BroadcastSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given: dict[str, Any] = dict(form.validated_data)
        user_id = given.pop("user_id", None)
        if user_id is not None:
            announcement = announcements.announce_to(user_id=user_id, now=timezone.now(), **given)
        else:
            announcement = announcements.announce_to_all(now=timezone.now(), **given)
        answer = {"announcement_id": announcement.id, "recipients": announcement.recipients}
        return Response(answer, status=202 if user_id is None else 200)
