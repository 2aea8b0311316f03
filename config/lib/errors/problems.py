"""RFC 9457: every refusal as a problem document."""

from __future__ import annotations

import logging
import math
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rest_framework import exceptions
from rest_framework.response import Response

from config.lib.errors.base import DomainError
from config.lib.errors.codes import DATABASE_IS_BACK_IN, REFUSALS, title_of
from config.lib.postgres import limits

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"


def problem(*, code: str, status: int, detail: str, errors: Any = None, **extra: Any) -> Response:
    """One RFC 9457 document, with the code's own title. `retry_after` (seconds) also becomes the header."""
    body = _document(code=code, status=status, detail=detail, errors=errors) | extra
    headers = {"Retry-After": str(math.ceil(extra["retry_after"]))} if extra.get("retry_after") is not None else None
    return Response(body, status=status, headers=headers, content_type=PROBLEM_TYPE)


def _document(*, code: str, status: int, detail: str, errors: Any = None) -> dict[str, Any]:
    return {
        "type": f"{settings.PUBLIC_URL}/help#{code}",
        "title": title_of(code, status=status),
        "status": status,
        "detail": detail,
        "code": code,
        "errors": errors or {},
    }


def problem_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal as a problem document."""
    _roll_back()
    if isinstance(error, DomainError):
        return problem(code=error.code, status=error.status, detail=str(error.detail), **error.extra)
    if isinstance(error, RequestDataTooBig):
        return problem(code="too_large", status=413, detail=_("Send a smaller request. Nothing was saved."))
    if limits.is_away(error):
        log.error("The database did not answer during a call", exc_info=error)
        return problem(
            code="unavailable",
            status=503,
            detail=why_unavailable(locked=limits.is_lock_timeout(error)),
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
        extra["retry_after"] = _wait(error)
    response = problem(
        code=codes.get(error.status_code, str(error.default_code)),
        status=error.status_code,
        detail=_sentence(error),
        **extra,
    )
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def _sentence(error: exceptions.APIException) -> str:
    """DRF's own, but where it leaves its reader without what would be right."""
    if isinstance(error, exceptions.NotAuthenticated):
        return str(REFUSALS["not_authenticated"].detail)
    if isinstance(error, exceptions.NotFound) and error.detail == error.default_detail:
        return _("Not found, or it belongs to another account.")
    if isinstance(error, exceptions.NotAcceptable):
        offered = [renderer.media_type for renderer in error.available_renderers or ()]
        return _("The answer comes as {types}. Accept that.").format(types=", ".join(offered) or "application/json")
    if isinstance(error, exceptions.UnsupportedMediaType):
        return _("{why} Send application/json.").format(why=error.detail)
    if isinstance(error, exceptions.Throttled):
        seconds = _wait(error)
        return ngettext(
            "You call more often than you may. Try again in {seconds} second.",
            "You call more often than you may. Try again in {seconds} seconds.",
            seconds,
        ).format(seconds=seconds)
    return str(error.detail)


def _wait(error: exceptions.Throttled) -> int:
    return math.ceil(getattr(error, "wait", None) or 1)


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


def why_unavailable(*, locked: bool) -> str:
    """Return what a customer reads where the database did not answer, or had a row of theirs locked for too long."""
    if locked:
        return _(
            "Another change to your account is still under way. Try again in a few seconds: "
            "anything in progress is finished or undone."
        )
    return str(REFUSALS["unavailable"].detail)


def problem_json(status: int, code: str, detail: str) -> JsonResponse:
    """The same document from outside DRF's views."""
    return JsonResponse(_document(code=code, status=status, detail=detail), status=status, content_type=PROBLEM_TYPE)


def not_found_json(path: str) -> JsonResponse:
    """The 404 of an address under /api/ that no route knows."""
    return problem_json(404, "not_found", _("There is nothing at {path}.").format(path=path))
