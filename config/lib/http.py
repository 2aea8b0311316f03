"""Middleware that every page and call passes."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

GetResponse = Callable[[HttpRequest], HttpResponse]
_REQUEST_ID = re.compile(r"^[A-Za-z0-9-]{8,64}$")


class RequestIdMiddleware:
    """Gives each request an id, in its logs and in the `X-Request-ID` of the answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class AdminPolicyMiddleware:
    """The admin's theme needs inline styles and `unsafe-eval`; nothing else gets them. Stands before CSPMiddleware."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        header = "Content-Security-Policy"
        if request.path.startswith("/admin/") and header in response:
            policy = response[header]
            policy = policy.replace("script-src 'self'", "script-src 'self' 'unsafe-eval'")
            response[header] = policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
        return response


class HtmxVaryMiddleware:
    """Mark every page as different for htmx, which gets some of them in parts.

    Browsers keep an answer by its address: without the mark, Back shows the part alone in place of the page.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ("HX-Request", "HX-History-Restore-Request"))
        return response


class NulMiddleware:
    """PostgreSQL's texts hold no NUL character and nobody types one: 400 wherever one arrives, not a fault of ours."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Under /api/ no route matches one, and the field that holds one is named.
        if not request.path_info.startswith("/api/") and (
            "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", "")
        ):
            raise BadRequest("a NUL character in the address")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """In a form or a JSON text it is found by the one who refuses it: the database's driver."""
        if isinstance(error, DataError | ValueError) and "NUL" in str(error):
            raise BadRequest("a NUL character in the request") from error


def client_ip(request: HttpRequest) -> str | None:
    """The caller's address: the peer's, or what the outermost of our own TRUSTED_PROXIES saw. None for what is none."""
    given = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES > 0:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
        given = hops[-settings.TRUSTED_PROXIES] if len(hops) >= settings.TRUSTED_PROXIES else ""
        given = given or request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_address(given.partition("%")[0]))
    except ValueError:
        return None
