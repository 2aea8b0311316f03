"""503 instead of 500 where the database is away, or holds a row locked for too long.

A page for people, a problem document under /api/.

A view of the API answers so by itself (problem_handler). Here comes what no view can catch: a page, and the session
that could not be read before the view began.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from config.failures import database_unavailable
from config.lib.postgres import limits


@receiver(got_request_exception)
def note_outage(sender: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Django tells of each exception while it is being handled, and makes a 500 of it."""
    error = sys.exc_info()[1]
    if request is not None and error is not None and limits.is_away(error):
        request.row_was_locked = limits.is_lock_timeout(error)  # type: ignore[attr-defined]


class OutageMiddleware:
    """Outside of all that asks the database, the session's middleware included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        locked = getattr(request, "row_was_locked", None)
        return response if locked is None else database_unavailable(request, locked=locked)
