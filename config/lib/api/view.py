"""What every endpoint of the API has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from config.lib.api.serializers import QuerySerializer, refuse_unknown_fields

_READS = ("GET", "HEAD")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class ApiView(APIView):
    """An endpoint that refuses unknown fields by name.

    `query_fields` reads the query string of a GET (or of the methods in `query_methods`) into `given`; without it a
    query is refused.
    `with_body` names the methods that have a body, which the method's own serializer reads; others may have none.
    """

    query_fields: ClassVar[type[QuerySerializer] | None] = None
    query_methods: ClassVar[tuple[str, ...]] = _READS
    with_body: ClassVar[tuple[str, ...]] = ()
    given: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = request.method or ""
        if method.lower() not in self.http_method_names or not hasattr(self, method.lower()):
            return  # which is 405 in a moment
        if self.query_fields is None or method not in self.query_methods:
            refuse_unknown_fields(request.query_params)
            self.given = {}
        else:
            query = self.query_fields(data=request.query_params)
            query.is_valid(raise_exception=True)
            self.given = dict(query.validated_data)
        if method not in (*_READS, "OPTIONS", *self.with_body):
            _refuse_body(request)

    def check_throttles(self, request: Request) -> None:
        """Stop at the first throttle that refuses: the refused calls of one key must not use up its owner's budget."""
        for throttle in self.get_throttles():
            if not throttle.allow_request(request, self):
                self.throttled(request, throttle.wait() or 0.0)


def _refuse_body(request: Request) -> None:
    """Raise ValidationError where there is more than nothing, `null`, `{}` or a form without fields."""
    try:
        body: Any = request.data
    except UnsupportedMediaType:
        form = request._request
        if form.content_type in _FORMS and not form.POST and not form.FILES:
            return
        raise
    if isinstance(body, Mapping):
        refuse_unknown_fields(body)
    elif body is not None:
        raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [_("This call takes no body.")]})
