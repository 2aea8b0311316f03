"""The request that is being answered, for code that has none at hand, such as the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

from config.lib.http import client_ip

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_USER_AGENT_LENGTH = 300


class RequestContextMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)


def client_of(user_id: int) -> tuple[str | None, str]:
    """Return IP address and user agent of the user's own request.

    That is (None, "") while another user's request, a webhook or a background job is under way.
    """
    request = _request.get()
    if request is None or getattr(getattr(request, "user", None), "pk", None) != user_id:
        return None, ""
    return client_ip(request), request.headers.get("User-Agent", "")[:_USER_AGENT_LENGTH]
