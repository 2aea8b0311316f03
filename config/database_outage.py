"""503 instead of 500 while the database is unreachable, or holds a row locked for too long.

REST framework's exception handler answers so by itself. This is for what happens outside of it: pages, and a session
that could not be read before the API's view began.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from config.error_pages import database_unavailable
from config.lib.postgres import limits


@receiver(got_request_exception)
def mark_request(sender: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Mark a request that the database failed. Django sends each exception as it makes a 500 of it."""
    error = sys.exc_info()[1]
    if request is not None and error is not None and limits.is_away(error):
        request.row_was_locked = limits.is_lock_timeout(error)  # type: ignore[attr-defined]


class DatabaseOutageMiddleware:
    """Answer a marked request with 503. Stands outside of all middleware that queries the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        locked = getattr(request, "row_was_locked", None)
        return response if locked is None else database_unavailable(request, locked=locked)
