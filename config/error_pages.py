"""Error pages, and under /api/ the problem documents in their place."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _

from config.lib.errors.base import DomainError, Forbidden, InvalidRequest
from config.lib.errors.framework import (
    DATABASE_IS_BACK_IN,
    DatabaseUnavailable,
    MethodNotAllowed,
    RowLocked,
    ServerError,
    TooLarge,
)
from config.lib.errors.problem_details import address_not_found, problem_response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return _answer(request, TooLarge())
    error = InvalidRequest(_("The address or the form was incomplete. Nothing was done. Go back and try again."))
    return _answer(request, error, title=_("We couldn't read that request"))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    error = Forbidden(_("You may be signed in with a different account than you meant to use."))
    return _answer(request, error, title=_("You don't have access to this page"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    error = Forbidden(
        _(
            "Nothing was saved. Open the page again and resend the form. "
            "If this keeps happening, allow cookies for this site."
        )
    )
    return _answer(request, error, title=_("This page expired"), try_again=_("Open the page again"), icon="history")


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if _is_api(request):
        return address_not_found(request.path)
    return render(request, "errors/404.html", status=404)


def wrong_method(request: HttpRequest) -> HttpResponse:
    error = MethodNotAllowed(_("Nothing was done. Go to the page with the form and submit it there."))
    return _answer(request, error, title=_("Use the form to do this"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 500. Needs neither the database nor the session, which may be what is broken."""
    return _answer(request, ServerError(), try_again=_("Try again"))


def database_unavailable(request: HttpRequest, *, locked: bool = False) -> HttpResponse:
    """Return 503 with Retry-After; needs neither the database nor the session."""
    error = (
        RowLocked()
        if locked
        else DatabaseUnavailable(
            _("Our database did not respond. Your money is safe: anything in progress is finished or undone.")
        )
    )
    response = _answer(request, error, try_again=_("Try again"))
    response["Retry-After"] = str(DATABASE_IS_BACK_IN)
    return response


class ErrorPagesMiddleware:
    """Show our pages in place of Django's, for an unknown address (while debugging too) and for a wrong method."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 404 and request.resolver_match is None:
            return page_not_found(request)
        if response.status_code == 405 and not response.streaming and not response.content:
            refusal = wrong_method(request)
            refusal["Allow"] = response["Allow"]
            return refusal
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return page_not_found(request) if isinstance(exception, Http404) else None


def _answer(
    request: HttpRequest, error: DomainError, *, title: str = "", try_again: str = "", icon: str = ""
) -> HttpResponse:
    """Return a page that needs nothing but the templates, or under /api/ the problem document.

    `title` is the page's own, where it is not the error's. `try_again` is the label of the link back to the page that
    was asked for, where trying again helps.
    """
    if _is_api(request):
        return problem_response(error)
    context = {
        "status": error.status,
        "title": title or str(error.title),
        "detail": error.detail,
        "page": _page_before(request) if try_again else "",
        "again": try_again,
        "icon": icon or ("warn" if error.status >= 500 else "lock" if error.status == 403 else "info"),
        "support_email": settings.SUPPORT_EMAIL,
    }
    return HttpResponse(render_to_string("errors/refusal.html", context), status=error.status)


def _page_before(request: HttpRequest) -> str:
    """Return the path that can be opened again safely: this page, or for a form the page that holds it."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    try:
        came_from = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return ""
    ours = came_from.netloc == request.META.get("HTTP_HOST") and came_from.path.startswith("/")
    return escape_leading_slashes(came_from.path) if ours else ""


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")
