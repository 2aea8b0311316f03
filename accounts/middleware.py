"""The reader's time zone, and where they are signed in."""

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
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            with timezone.override(zone(request.user.time_zone)):
                return self.get_response(request)
        return self.get_response(request)


class SessionsMiddleware:
    """Keeps the list of places where somebody is signed in: once a minute each, not five queries a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and request.session.session_key:
            place = f"{request.session.session_key}:{client_ip(request)}"
            if cache.add(f"seen:{hashlib.sha256(place.encode()).hexdigest()}", 1, _SEEN_SECONDS):
                UserSession.objects.create_from_request(request)
        return self.get_response(request)


class PrivateMiddleware:
    """Keep what is somebody's own out of every cache: pages of people who are signed in, and the API's answers.

    So nothing of an account is left in a browser after the sign-out. What everybody gets alike stays cacheable, and a
    view that says so itself (`public`) is believed.
    """

    _EVERYBODYS = ("schema", "docs")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        said = response.get("Cache-Control", "")
        if self._is_private(request) and "no-store" not in said and "public" not in said:
            response["Cache-Control"] = "no-store"
        return response

    def _is_private(self, request: HttpRequest) -> bool:
        if request.resolver_match and request.resolver_match.url_name in self._EVERYBODYS:
            return False
        return request.path_info.startswith("/api/") or request.user.is_authenticated
