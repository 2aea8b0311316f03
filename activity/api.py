"""The feed by API."""

from __future__ import annotations

from typing import Any, cast

from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from activity import exports, selectors
from activity.serializers import (
    EXPORTED,
    ActivityListSerializer,
    ActivitySerializer,
    FeedExportSerializer,
    FeedQuerySerializer,
    OverviewSerializer,
    RangeSerializer,
)
from config.lib.api import PageSerializer, page


def _customer(request: Request) -> User:
    return cast(User, request.user)  # HasScope lets nobody else in


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    words = {name: given[name] for name in ("activity_type", "resource_type", "status", "q") if name in given}
    return words | {"start": given.get("start_date"), "end": given.get("end_date")}


class ActivitiesView(APIView):
    @extend_schema(
        operation_id="activities_list",
        tags=["activities"],
        parameters=[FeedQuerySerializer],
        responses=ActivityListSerializer,
    )
    def get(self, request: Request) -> Response:
        """Everything that happened on your account, newest first."""
        query = FeedQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        given, user = query.validated_data, _customer(request)
        before = selectors.activity_of(user=user, activity_id=given["before"]) if "before" in given else None
        total, rows = page(request, selectors.feed(user=user, before=before, **_filters(given)))
        return Response({"total": total, "activities": [selectors.render(row) for row in rows]})


class ActivityView(APIView):
    @extend_schema(operation_id="activities_retrieve", tags=["activities"], responses=ActivitySerializer)
    def get(self, request: Request, activity_id: int) -> Response:
        """One of them."""
        return Response(selectors.render(selectors.activity_of(user=_customer(request), activity_id=activity_id)))


class ResourceView(APIView):
    @extend_schema(
        operation_id="activities_of_resource",
        tags=["activities"],
        parameters=[
            PageSerializer,
            OpenApiParameter("resource_type", str, OpenApiParameter.PATH, description='Such as "verification".'),
            OpenApiParameter("resource_id", str, OpenApiParameter.PATH, description="Its id or reference."),
        ],
        responses=ActivityListSerializer,
    )
    def get(self, request: Request, resource_type: str, resource_id: str) -> Response:
        """What happened to one verification, payment or refund, newest first."""
        rows = selectors.of_resource(user=_customer(request), resource_type=resource_type, resource_id=resource_id)
        total, shown = page(request, rows)
        return Response({"total": total, "activities": [selectors.render(row) for row in shown]})


class OverviewView(APIView):
    @extend_schema(
        operation_id="activities_overview",
        tags=["activities"],
        parameters=[RangeSerializer],
        responses=OverviewSerializer,
    )
    def get(self, request: Request) -> Response:
        """How many there are of each type and status."""
        query = RangeSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        given = query.validated_data
        user = _customer(request)
        return Response(selectors.overview(user=user, start=given.get("start_date"), end=given.get("end_date")))


class ExportView(APIView):
    scope = "read"

    @extend_schema(
        operation_id="activities_export", tags=["activities"], request=FeedExportSerializer, responses=EXPORTED
    )
    def post(self, request: Request) -> StreamingHttpResponse:
        """All that the filters leave, as CSV or JSON."""
        form = FeedExportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        rows = selectors.feed(user=_customer(request), **_filters(form.validated_data))
        return exports.respond(rows, as_format=form.validated_data["format"])
