"""The feed by API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.selectors import customer
from activity import exports, selectors
from activity.models import Activity
from activity.serializers import (
    EXPORTED,
    ActivityListSerializer,
    ActivitySerializer,
    FeedCursorSerializer,
    FeedExportSerializer,
    FeedQuerySerializer,
    OverviewSerializer,
)
from config.lib.api.openapi import error_codes, request_example, response_example
from config.lib.api.serializers import RangeSerializer
from config.lib.api.view import ApiView
from config.lib.paging import list_page

_EVENT = {
    "id": 911,
    "event": "verification_complete",
    "activity_type": "verification",
    "resource_type": "verification",
    "resource_id": "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11",
    "action": "completed",
    "status": "completed",
    "title": "Code received",
    "description": "The code for WhatsApp has arrived.",
    "data": {"service": "WhatsApp"},
    "actor": "system",
    "ip_address": None,
    "user_agent": "",
    "created_at": "2026-11-21T10:00:21.000000Z",
}
_LIST = response_example("One", {"total": 1, "activities": [_EVENT]})


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    words = {name: given[name] for name in ("activity_type", "resource_type", "status", "q") if name in given}
    return words | {"start": given.get("start_date"), "end": given.get("end_date")}


def _page(request: Request, rows: QuerySet[Activity], given: dict[str, Any]) -> Response:
    user = customer(request)
    total, shown = list_page(
        rows,
        given,
        *selectors.NEWEST_FIRST,
        find=lambda activity_id: selectors.activity_of(user=user, activity_id=activity_id),
    )
    return Response({"total": total, "activities": [selectors.render(row) for row in shown]})


class ActivitiesView(ApiView):
    query_fields = FeedQuerySerializer

    @extend_schema(
        operation_id="activities_list",
        tags=["activities"],
        parameters=[FeedQuerySerializer],
        responses=ActivityListSerializer,
        examples=[_LIST],
        extensions=error_codes("not_found"),
    )
    def get(self, request: Request) -> Response:
        """Everything that happened on your account, newest first."""
        given, user = self.given, customer(request)
        return _page(request, selectors.feed(user=user, **_filters(given)), given)


class ActivityView(ApiView):
    @extend_schema(
        operation_id="activities_retrieve",
        tags=["activities"],
        responses=ActivitySerializer,
        examples=[response_example("A code came", _EVENT)],
    )
    def get(self, request: Request, activity_id: int) -> Response:
        """One of them."""
        return Response(selectors.render(selectors.activity_of(user=customer(request), activity_id=activity_id)))


class ResourceView(ApiView):
    query_fields = FeedCursorSerializer

    @extend_schema(
        operation_id="activities_of_resource",
        tags=["activities"],
        parameters=[
            FeedCursorSerializer,
            OpenApiParameter(
                "resource_type",
                {"type": "string", "pattern": "^[a-z_]{1,20}$"},
                OpenApiParameter.PATH,
                description='Such as "verification".',
            ),
            OpenApiParameter(
                "resource_id",
                {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"},
                OpenApiParameter.PATH,
                description="Its id or reference.",
            ),
        ],
        responses=ActivityListSerializer,
        examples=[_LIST],
    )
    def get(self, request: Request, resource_type: str, resource_id: str) -> Response:
        """What happened to one verification, payment or refund, newest first."""
        rows = selectors.of_resource(user=customer(request), resource_type=resource_type, resource_id=resource_id)
        return _page(request, rows, self.given)


class OverviewView(ApiView):
    query_fields = RangeSerializer

    @extend_schema(
        operation_id="activities_overview",
        tags=["activities"],
        parameters=[RangeSerializer],
        responses=OverviewSerializer,
        examples=[
            response_example(
                "Some",
                {
                    "total": 3,
                    "by_type": {"verification": 2, "wallet": 1},
                    "by_status": {"completed": 3},
                    "last_at": "2026-11-21T10:00:21.000000Z",
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """How many there are of each type and status."""
        given = self.given
        user = customer(request)
        return Response(selectors.overview(user=user, start=given.get("start_date"), end=given.get("end_date")))


class ExportView(ApiView):
    with_body = ("POST",)
    scope = "read"

    @extend_schema(
        operation_id="activities_export",
        tags=["activities"],
        request=FeedExportSerializer,
        responses=EXPORTED,
        examples=[
            request_example("Of one month", {"format": "json", "start_date": "2026-11-01", "end_date": "2026-11-30"}),
            response_example("CSV", "created_at,event\r\n2026-11-21T10:00:21Z,login\r\n", media_type="text/csv"),
            response_example("JSON", _EVENT),
        ],
    )
    def post(self, request: Request) -> StreamingHttpResponse:
        """All that the filters leave, as CSV or JSON."""
        form = FeedExportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        rows = selectors.feed(user=customer(request), **_filters(form.validated_data))
        return exports.respond(rows, as_format=form.validated_data["format"])
