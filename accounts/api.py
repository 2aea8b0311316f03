"""API keys by API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors, services
from accounts.models import ApiKey
from accounts.serializers import (
    ApiKeySerializer,
    CreatedApiKeySerializer,
    KeyListSerializer,
    NewApiKeySerializer,
)
from config.lib.api import PageSerializer, page


class KeysView(APIView):
    scope = "manage"

    @extend_schema(parameters=[PageSerializer], responses=KeyListSerializer, tags=["keys"], operation_id="keys_list")
    def get(self, request: Request) -> Response:
        """Your live keys, newest first."""
        total, keys = page(request, selectors.keys_of(user=selectors.customer(request)))
        return Response({"total": total, "keys": ApiKeySerializer(keys, many=True).data})

    @extend_schema(request=NewApiKeySerializer, responses={201: CreatedApiKeySerializer}, tags=["keys"])
    def post(self, request: Request) -> Response:
        """A new key. Its secret stands in this answer alone.

        A key makes none that may do more than itself, or that lives longer.
        """
        form = NewApiKeySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        by = request.auth if isinstance(request.auth, ApiKey) else None
        key, secret = services.create_api_key(user=selectors.customer(request), by=by, **form.validated_data)
        key.key = secret  # type: ignore[attr-defined]
        return Response(CreatedApiKeySerializer(key).data, status=201, headers={"Cache-Control": "no-store"})


class KeyView(APIView):
    scope = "manage"

    @extend_schema(responses={204: None}, tags=["keys"])
    def delete(self, request: Request, key_id: int) -> Response:
        """Ends a key at once."""
        services.revoke_api_key(user=selectors.customer(request), key_id=key_id)
        return Response(status=204)
