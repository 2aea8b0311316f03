"""The API's description, generated once in each process, since that takes half a second."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.cache import get_conditional_response, patch_cache_control
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from config.lib.api.serializers import QuerySerializer
from config.lib.api.view import ApiView

_FRESH_SECONDS = 300
_generation_lock = threading.Lock()


class _FormatSerializer(QuerySerializer):
    format = serializers.CharField(required=False, help_text="json or yaml, instead of an Accept header.")


class SchemaView(ApiView):
    """Returns YAML or JSON, by Accept or `?format=`, with an ETag."""

    renderer_classes = [OpenApiYamlRenderer, OpenApiYamlRenderer2, OpenApiJsonRenderer, OpenApiJsonRenderer2]
    authentication_classes = ()
    permission_classes = ()
    query_fields = _FormatSerializer

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponseBase:
        renderer = request.accepted_renderer
        kind: Any = type(renderer)
        with _generation_lock:  # calls to a new process wait for one document
            body, etag = _document(kind)
        response = HttpResponse(body, content_type=renderer.media_type)
        response["ETag"] = etag
        response["Vary"] = "Accept"
        response["Content-Disposition"] = f'inline; filename="ringfence.{renderer.format}"'
        patch_cache_control(response, public=True, max_age=_FRESH_SECONDS)
        return get_conditional_response(request._request, etag=etag, response=response) or response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Write refusals as JSON, like all others."""
        if isinstance(response, Response):
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)


@lru_cache(maxsize=8)
def _document(renderer: Any) -> tuple[bytes, str]:
    """Return the description as this renderer writes it, and its ETag."""
    text = renderer().render(_schema())
    body: bytes = text if isinstance(text, bytes) else text.encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


@lru_cache(maxsize=1)
def _schema() -> Any:
    with translation.override(settings.LANGUAGE_CODE):
        return SchemaGenerator().get_schema(request=None, public=True)
