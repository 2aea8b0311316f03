"""Where the request that is being answered came from, for what is written down about it further in."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

from config.lib.http import client_ip

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_MOST = 300  # characters of a user agent


class CallerMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)


def caller_of(user_id: int) -> tuple[str | None, str]:
    """Address and user agent of this customer's own request; (None, "") in another's, a webhook's or a job."""
    request = _request.get()
    if request is None or getattr(getattr(request, "user", None), "pk", None) != user_id:
        return None, ""
    return client_ip(request), request.headers.get("User-Agent", "")[:_MOST]
