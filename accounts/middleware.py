"""The user's time zone, the list of their sessions, and what caches may keep."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.zones import zone
from config.lib.http import client_ip

_SEEN_SECONDS = 60


class TimezoneMiddleware:
    """Show all times of a request in its user's time zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            with timezone.override(zone(request.user.time_zone)):
                return self.get_response(request)
        return self.get_response(request)


class SessionsMiddleware:
    """Update the list of a user's sessions: once a minute for each, not five queries a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and request.session.session_key:
            place = f"{request.session.session_key}:{client_ip(request)}"
            if cache.add(f"seen:{hashlib.sha256(place.encode()).hexdigest()}", 1, _SEEN_SECONDS):
                UserSession.objects.create_from_request(request)
        return self.get_response(request)


class PrivateMiddleware:
    """Keep private responses out of every cache: pages of signed-in users, and the API's answers.

    So nothing of an account is left in a browser after the sign-out. What is the same for all users stays cacheable,
    as does a response that says so itself (`public`).
    """

    _PUBLIC = ("schema", "docs")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        name = request.resolver_match.url_name if request.resolver_match else None
        is_private = name not in self._PUBLIC and (
            request.path_info.startswith("/api/") or request.user.is_authenticated
        )
        said = response.get("Cache-Control", "")
        if is_private and "no-store" not in said and "public" not in said:
            response["Cache-Control"] = "no-store"
        return response
