"""Choosing the form of an answer."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class ApiNegotiation(DefaultContentNegotiation):
    """Answer 406 to a form that we can't render. REST framework alone answers 404 to an unknown `?format=`."""

    def get_accept_list(self, request: Any) -> list[str]:
        """Take an empty Accept header for a missing one."""
        accepted: list[str] = super().get_accept_list(request)
        return accepted if any(token.strip() for token in accepted) else ["*/*"]

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        try:
            return super().filter_renderers(renderers, format)
        except Http404 as error:
            raise exceptions.NotAcceptable(available_renderers=renderers) from error


class FormatFieldNegotiation(DefaultContentNegotiation):
    """For exports, whose `?format=csv` is a field of their own and names no renderer."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type
