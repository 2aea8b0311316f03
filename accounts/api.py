"""API keys and the acceptable-use policy by API."""

from __future__ import annotations

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors, services
from accounts.errors import NotConfirmed
from accounts.http import confirmed_recently
from accounts.models import ApiKey, PolicyAcceptance
from accounts.serializers import (
    AcceptPolicySerializer,
    ApiKeySerializer,
    CreatedApiKeySerializer,
    KeyListSerializer,
    NewApiKeySerializer,
    PolicySerializer,
)
from config.lib.api.openapi import error_codes, request_example, response_example
from config.lib.api.serializers import PageSerializer
from config.lib.api.view import ApiView
from config.lib.http import client_ip
from config.lib.paging import list_page

_KEY = {
    "id": 7,
    "name": "laptop",
    "prefix": "rf_Ab3dE9x",
    "scopes": ["buy", "read"],
    "created_at": "2026-11-21T09:00:00Z",
    "expires_at": None,
    "last_used_at": None,
}
_POLICY = {"version": settings.POLICY_VERSION, "accepted": True, "accepted_at": "2026-11-21T09:00:00Z"}


class KeysView(ApiView):
    with_body = ("POST",)
    query_fields = PageSerializer
    scope = "manage"

    @extend_schema(
        operation_id="keys_list",
        tags=["keys"],
        parameters=[PageSerializer],
        responses=KeyListSerializer,
        examples=[response_example("One key", {"total": 1, "keys": [_KEY]})],
    )
    def get(self, request: Request) -> Response:
        """Your live keys, newest first."""
        total, keys = list_page(selectors.keys_of(user=selectors.customer(request)), self.given)
        return Response({"total": total, "keys": ApiKeySerializer(keys, many=True).data})

    @extend_schema(
        operation_id="keys_create",
        tags=["keys"],
        request=NewApiKeySerializer,
        responses={201: CreatedApiKeySerializer},
        examples=[
            request_example("For buying", {"name": "laptop", "scopes": ["read", "buy"]}),
            response_example("Made", {**_KEY, "key": "rf_Ab3dE9x-and-36-letters-more-shown-only-once"}, 201),
        ],
        extensions=error_codes("reauthentication_required", "over_limit"),
    )
    def post(self, request: Request) -> Response:
        """A new key. Its secret stands in this answer alone.

        A key makes none that may do more than itself, or that lives longer, and those that it made end with it. A
        session makes one for a few minutes after its owner has confirmed the password.
        """
        form = NewApiKeySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        by = request.auth if isinstance(request.auth, ApiKey) else None
        if by is None and not confirmed_recently(request._request):
            raise NotConfirmed
        key, secret = services.create_api_key(user=selectors.customer(request), by=by, **form.validated_data)
        key.key = secret  # type: ignore[attr-defined]
        return Response(CreatedApiKeySerializer(key).data, status=201, headers={"Cache-Control": "no-store"})


class KeyView(ApiView):
    scope = "manage"

    @extend_schema(operation_id="keys_revoke", tags=["keys"], responses={204: None})
    def delete(self, request: Request, key_id: int) -> Response:
        """End a key at once, and the keys that it made."""
        services.revoke_api_key(user=selectors.customer(request), key_id=key_id)
        return Response(status=204)


class PolicyView(ApiView):
    with_body = ("POST",)
    scope = "manage"

    @extend_schema(
        operation_id="policy_retrieve",
        tags=["policy"],
        responses=PolicySerializer,
        examples=[response_example("Accepted", _POLICY)],
    )
    def get(self, request: Request) -> Response:
        """The version of the acceptable-use policy in force, and whether you accepted it. Its text is at /policy."""
        return _policy(selectors.acceptance_of(user=selectors.customer(request)))

    @extend_schema(
        operation_id="policy_accept",
        tags=["policy"],
        request=AcceptPolicySerializer,
        responses=PolicySerializer,
        examples=[
            request_example("The version you have read", {"version": settings.POLICY_VERSION}),
            response_example("Accepted", _POLICY),
        ],
    )
    def post(self, request: Request) -> Response:
        """Accept the policy, which is needed before the first purchase. Again changes nothing.

        Name the version that you have read, so that nobody accepts one unseen.
        """
        form = AcceptPolicySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        acceptance = services.accept_policy(user=selectors.customer(request), ip_address=client_ip(request))
        return _policy(acceptance)


def _policy(acceptance: PolicyAcceptance | None) -> Response:
    accepted_at = acceptance.accepted_at if acceptance else None
    current = {"version": settings.POLICY_VERSION, "accepted": acceptance is not None, "accepted_at": accepted_at}
    return Response(PolicySerializer(current).data)
