"""API of the sockets: tickets, and how many are open."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiKey, User
from config.lib.api.openapi import response_example
from config.lib.api.view import ApiView
from notifications.realtime import publish
from notifications.sockets import hub, redis_link, tickets

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


class TicketView(ApiView):
    scope = "read"

    @extend_schema(
        operation_id="websocket_ticket",
        tags=_TAGS,
        request=None,
        responses={201: TicketSerializer},
        examples=[
            response_example(
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
        examples=[response_example("Now", {"connections": 812, "messages": 90210, "here": 406, "complete": True})],
    )
    def get(self, request: Request) -> Response:
        """How many sockets are open, and how many frames were published."""
        here, shared = hub.connections(), publish.shared_counts()
        sockets, published = shared or ({}, {})
        elsewhere = sum(count for process, count in sockets.items() if process != redis_link.process_name())
        return Response(
            {
                "connections": here + elsewhere,
                "messages": sum(published.values()),
                "here": here,
                "complete": shared is not None,
            }
        )
