"""RFC 9457: every refusal as a problem document."""

from __future__ import annotations

import logging
import math
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response

from config.lib.errors import DomainError

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
DATABASE_IS_BACK_IN = 5  # seconds: a restart, or a switch to the standby


def problem(*, code: str, status: int, title: str, detail: str, errors: Any = None, **extra: Any) -> Response:
    """One RFC 9457 document. `retry_after` (seconds) also becomes the header."""
    body: dict[str, Any] = {
        "type": f"{settings.PUBLIC_URL}/help#{code}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    body |= {"code": code, "errors": errors or {}, **extra}
    headers = {"Retry-After": str(math.ceil(extra["retry_after"]))} if extra.get("retry_after") is not None else None
    return Response(body, status=status, headers=headers, content_type=PROBLEM_TYPE)


def problem_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal as a problem document."""
    _roll_back()
    if isinstance(error, DomainError):
        return problem(
            code=error.code, status=error.status, title=str(error.title), detail=str(error.detail), **error.extra
        )
    if isinstance(error, RequestDataTooBig):
        title = _("The request is too large")
        return problem(code="too_large", status=413, title=title, detail=title)
    if isinstance(error, OperationalError | InterfaceError):
        log.error("The database went away during a call", exc_info=error)
        return problem(
            code="unavailable",
            status=503,
            title=_("We are not at our best for a moment"),
            detail=_("Our database did not answer. What was begun is finished; ask again with the same key."),
            retry_after=DATABASE_IS_BACK_IN,
        )
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ValidationError):
        return problem(
            code="validation_error",
            status=400,
            title=_("Invalid request"),
            detail=_first_sentence(error.detail),
            errors=_by_field(error.detail),
        )
    if not isinstance(error, exceptions.APIException):
        return None
    return _api_exception(error)


def _roll_back() -> None:
    """A view that answers with a refusal inside ATOMIC_REQUESTS keeps nothing of what it wrote."""
    from rest_framework.views import set_rollback

    set_rollback()


def _api_exception(error: exceptions.APIException) -> Response:
    codes = {400: "validation_error", 401: "not_authenticated", 403: "forbidden", 404: "not_found", 429: "throttled"}
    extra: dict[str, Any] = {}
    if isinstance(error, exceptions.Throttled):
        extra["retry_after"] = math.ceil(getattr(error, "wait", None) or 1)
    title, detail = str(error.default_detail), str(error.detail)
    if isinstance(error, exceptions.NotAuthenticated):
        title, detail = _("Not signed in"), _("Send an API key as Authorization: Bearer KEY, or sign in.")
    response = problem(
        code=codes.get(error.status_code, str(error.default_code)),
        status=error.status_code,
        title=title,
        detail=detail,
        **extra,
    )
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def _by_field(detail: Any) -> dict[str, Any]:
    return detail if isinstance(detail, dict) else {"non_field_errors": detail}


def _first_sentence(detail: Any) -> str:
    if isinstance(detail, dict):
        name, first = next(iter(detail.items()))
        sentence = _first_sentence(first)
        return sentence if name == "non_field_errors" else f"{name}: {sentence}"
    if isinstance(detail, list):
        return _first_sentence(detail[0]) if detail else ""
    return str(detail)


def problem_json(status: int, code: str, title: str, detail: str) -> JsonResponse:
    """The same document from outside DRF's views."""
    body = {
        "type": f"{settings.PUBLIC_URL}/help#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": {},
    }
    return JsonResponse(body, status=status, content_type=PROBLEM_TYPE)


def not_found_json(path: str) -> JsonResponse:
    """The 404 of an address under /api/ that no route knows."""
    return problem_json(404, "not_found", _("Not found"), _("There is nothing at {path}.").format(path=path))
