"""Middleware that every page and API call passes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.cache import patch_vary_headers

from config.error_pages import bad_request

GetResponse = Callable[[HttpRequest], HttpResponse]
PROBES = frozenset({"/health/live", "/health/ready", "/metrics"})
_REQUEST_ID = re.compile(r"^[A-Za-z0-9-]{8,64}$")


class RequestIdMiddleware:
    """Give each request an id, in its logs and in the `X-Request-ID` of the answer."""

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


class AdminContentPolicyMiddleware:
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


class NulCharacterMiddleware:
    """Answer 400 to a NUL character, which PostgreSQL's texts can't hold and people don't type."""

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
        """Answer 400 where the database's driver refuses one that came in a form or in JSON."""
        if isinstance(error, DataError | ValueError) and "NUL" in str(error):
            raise BadRequest("a NUL character in the request") from error


class BodyLimitMiddleware:
    """Answer 413 to a request that announces a body over DATA_UPLOAD_MAX_MEMORY_SIZE, before anything reads it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        announced = request.META.get("CONTENT_LENGTH") or "0"
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if limit is not None and announced.isdecimal() and int(announced[:20]) > limit:
            return bad_request(request, RequestDataTooBig())
        return self.get_response(request)


class ProbesMiddleware:
    """Answer health checks and /metrics before anything compares their Host with ALLOWED_HOSTS.

    An orchestrator asks a container by its address; the answers name no host.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in PROBES:
            return self.get_response(request)
        match = resolve(request.path_info)
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        return response
