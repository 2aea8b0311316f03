"""RFC 9457: every refusal of the API as a document of problem details."""

from __future__ import annotations

import logging
import math
from typing import Any

from django.conf import settings
from django.http import JsonResponse
from django.utils.translation import gettext as _
from rest_framework.response import Response

from config.lib.errors.base import DomainError, NotFound
from config.lib.errors.framework import DatabaseUnavailable, to_domain_error
from config.lib.errors.registry import title_of

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler: answer a refusal with its problem document, and pass on a bug.

    A view that refuses inside ATOMIC_REQUESTS keeps nothing of what it wrote.
    """
    from rest_framework.views import set_rollback  # which reads settings that lead here

    set_rollback()
    refusal = to_domain_error(error)
    if refusal is None:
        return None
    if isinstance(refusal, DatabaseUnavailable):
        log.error("The database did not answer during a call", exc_info=error)
    response = Response(_document(refusal), status=refusal.status, content_type=CONTENT_TYPE)
    if refusal.extra.get("retry_after") is not None:
        response["Retry-After"] = str(math.ceil(refusal.extra["retry_after"]))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def problem_response(refusal: DomainError) -> JsonResponse:
    """Return the same document from outside REST framework's views."""
    return JsonResponse(_document(refusal), status=refusal.status, content_type=CONTENT_TYPE)


def address_not_found(path: str) -> JsonResponse:
    """Return the 404 of an address under /api/ that no route knows."""
    return problem_response(NotFound(_("There is nothing at {path}.").format(path=path)))


def example_document(error: type[DomainError]) -> dict[str, Any]:
    """Return an example of the class's documents, for the API's description."""
    members = {"title": str(error.title), "detail": str(error.detail), **error.example}
    return _members(error.code, error.status, **members)


def _document(refusal: DomainError) -> dict[str, Any]:
    members = {"title": title_of(refusal), "detail": str(refusal.detail), **refusal.extra}
    return _members(refusal.code, refusal.status, **members)


def _members(code: str, status: int, *, title: str, detail: str, errors: Any = None, **extra: Any) -> dict[str, Any]:
    return {
        "type": f"{settings.PUBLIC_URL}/help#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": errors or {},
        **extra,
    }
