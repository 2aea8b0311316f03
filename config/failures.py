"""Answers to what went wrong: a page for people, a problem document under /api/."""

from __future__ import annotations

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from config.lib.problems import not_found_json, problem_json


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return _refusal(request, 413, "too_large", _("The request is too large"))
    return _refusal(request, 400, "validation_error", _("The request makes no sense to us"))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _refusal(request, 403, "forbidden", _("This isn't yours to open"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _refusal(
        request,
        403,
        "forbidden",
        _("The form was open for too long"),
        _("Go back, load the page again and send it once more. Nothing was done. Cookies must be allowed."),
    )


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if _is_api(request):
        return not_found_json(request.path)
    return render(request, "errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Needs neither the database nor the session, which may be what is broken."""
    if _is_api(request):
        return problem_json(500, "server_error", _("Something broke on our side"), _("Try again in a moment."))
    return HttpResponse(render_to_string("errors/500.html"), status=500)


def _refusal(request: HttpRequest, status: int, code: str, title: str, detail: str = "") -> HttpResponse:
    if _is_api(request):
        return problem_json(status, code, title, detail or title)
    return HttpResponse(render_to_string("errors/refusal.html", {"title": title, "detail": detail}), status=status)


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")
