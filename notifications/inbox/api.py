"""The inbox by API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.selectors import customer
from config.lib import money
from config.lib.api.negotiation import FormatFieldNegotiation
from config.lib.api.openapi import request_example, response_example
from config.lib.api.view import ApiView
from config.lib.metrics import notification_polls_total
from config.lib.paging import list_page
from notifications.inbox import exports, rendering, search, selectors, services
from notifications.inbox.serializers import (
    EXPORTED,
    CategoriesSerializer,
    CentreQuerySerializer,
    CentreSerializer,
    ChangedSerializer,
    ExportQuerySerializer,
    FoundSerializer,
    InboxQuerySerializer,
    InboxSerializer,
    NotificationSerializer,
    SearchQuerySerializer,
    SearchSerializer,
    WhichSerializer,
)
from notifications.models import Notification
from verifications import selectors as verifications

_TAGS = ["notifications"]
_ID = "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11"
_NOTIFICATION = {
    "id": 4712,
    "seq": 17,
    "type": "number_purchased",
    "category": "verification",
    "priority": "medium",
    "title": "Number Purchased",
    "message": "+1 212 555 0123: waiting for the code",
    "link": f"/verify/{_ID}",
    "icon": "📱",
    "is_read": False,
    "created_at": "2026-11-21T10:00:01.000000Z",
}
_WAITING = {
    "id": _ID,
    "status": "waiting",
    "service_name": "whatsapp",
    "service_title": "WhatsApp",
    "country": "US",
    "phone_number": "2125550123",
    "price": "2.50",
    "currency": "USD",
    "code": "",
    "text": "",
    "messages": 0,
    "cancelling": False,
    "charged": True,
    "failure_reason": "",
    "created_at": "2026-11-21T10:00:00+00:00",
    "expires_at": "2026-11-21T10:15:00+00:00",
    "ended_at": None,
}
_INBOX = {
    "total": 1,
    "unread": 1,
    "seq": 17,
    "balance": "25.00",
    "available": "22.50",
    "version": 16,
    "open_verifications": [_WAITING],
    "notifications": [_NOTIFICATION],
}
_WHICH = [
    request_example("Two", {"ids": [4711, 4712]}),
    request_example("All", {"all": True}),
    response_example("Done", {"changed": 2, "unread": 0, "seq": 18}),
]


def _listing(request: Request, given: dict[str, Any]) -> QuerySet[Notification]:
    return selectors.listing(
        user=customer(request),
        category=given.get("category", ""),
        is_read=given["is_read"],
        start=given.get("start_date"),
        end=given.get("end_date"),
        before=given.get("before"),
        sort=given["sort"],
    )


class InboxView(ApiView):
    query_fields = InboxQuerySerializer

    @extend_schema(
        operation_id="notifications_list",
        tags=_TAGS,
        parameters=[InboxQuerySerializer],
        responses=InboxSerializer,
        examples=[response_example("A number was bought", _INBOX)],
    )
    def get(self, request: Request) -> Response:
        """What you were told, with all that a page shows live: for programs, and for browsers without a socket.

        Newest first; with `after` the oldest first, so that whoever polls goes on from the last `seq` it got.
        """
        given, user = dict(self.given), customer(request)
        after = given.pop("after", None)
        if after is not None:
            notification_polls_total.inc()
        rows = selectors.visible(user=user) if after is None else selectors.after(user=user, seq=after)
        position = selectors.position_of(user=user, rows=rows)  # before the rows and all else
        _total, shown = list_page(rows, given, "-seq", total=position.total)
        waiting = verifications.open_verifications(user=user).prefetch_related(None).prefetch_related("messages")
        return Response(
            {
                "total": position.total,
                "unread": position.unread,
                "seq": position.seq,
                "balance": money.to_text(position.balance),
                "available": money.to_text(position.balance - position.held),
                "version": position.version,
                "open_verifications": [verifications.summary_of(one) for one in waiting],
                "notifications": rendering.render_all(shown, user=user),
            }
        )


class CentreView(ApiView):
    query_fields = CentreQuerySerializer

    @extend_schema(
        operation_id="notifications_center",
        tags=_TAGS,
        parameters=[CentreQuerySerializer],
        responses=CentreSerializer,
        examples=[response_example("One", {"total": 1, "unread": 1, "seq": 17, "notifications": [_NOTIFICATION]})],
    )
    def get(self, request: Request) -> Response:
        """The inbox by category, read state and time."""
        user = customer(request)
        inbox, given = selectors.inbox_of(user=user), self.given
        total, rows = list_page(_listing(request, {**given, "before": None}), given, "-seq")
        return Response(
            {
                "total": total,
                "unread": inbox.unread,
                "seq": inbox.seq,
                "notifications": rendering.render_all(rows, user=user),
            }
        )


class CategoriesView(ApiView):
    @extend_schema(
        operation_id="notifications_categories",
        tags=_TAGS,
        responses=CategoriesSerializer,
        examples=[
            response_example(
                "Some",
                {"categories": [{"category": "verification", "title": "Verifications", "total": 4, "unread": 1}]},
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Every category, with how many you have there and how many of them are unread."""
        return Response({"categories": selectors.categories(user=customer(request))})


class SearchView(ApiView):
    scope = "read"
    with_body = ("POST",)
    query_fields = SearchQuerySerializer
    query_methods = ("POST",)

    @extend_schema(
        operation_id="notifications_search",
        tags=_TAGS,
        parameters=[SearchQuerySerializer],
        request=SearchSerializer,
        responses=FoundSerializer,
        examples=[
            request_example("One word", {"query": "whatsapp", "limit": 10}),
            response_example(
                "Found", {"total": 1, "suggestions": ["Number Purchased", "WhatsApp"], "notifications": [_NOTIFICATION]}
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Look for words, such as a service, a reference or a number. Codes are not searched.

        They stand in the body or in the address; where both have one, the body's counts.
        """
        given, user = self._given(request), customer(request)
        found = search.matching(selectors.visible(user=user), given["query"])
        total, rows = list_page(found, given)
        return Response(
            {
                "total": total,
                "suggestions": search.suggestions(rows),
                "notifications": rendering.render_all(rows, user=user),
            }
        )

    def _given(self, request: Request) -> dict[str, Any]:
        """Return the fields of the address, and over them those of the body."""
        body = request.data
        form = SearchSerializer(data={**self.given, **body} if isinstance(body, Mapping) else body)
        form.is_valid(raise_exception=True)
        return form.validated_data


_BULK: dict[str, Any] = {
    "tags": _TAGS,
    "request": WhichSerializer,
    "responses": ChangedSerializer,
    "examples": _WHICH,
}


class BulkReadView(ApiView):
    with_body = ("POST",)

    @extend_schema(operation_id="notifications_bulk_read", **_BULK)
    def post(self, request: Request) -> Response:
        """Mark these, or all, as read."""
        return Response(_changed(services.mark_read(user=customer(request), **_which(request))))


class BulkDeleteView(ApiView):
    with_body = ("POST",)

    @extend_schema(operation_id="notifications_bulk_delete", **_BULK)
    def post(self, request: Request) -> Response:
        """Hide these, or all, for good."""
        return Response(_changed(services.delete(user=customer(request), **_which(request))))


class BulkArchiveView(ApiView):
    with_body = ("POST",)

    @extend_schema(operation_id="notifications_bulk_archive", **_BULK)
    def post(self, request: Request) -> Response:
        """Put these, or all, away."""
        return Response(_changed(services.archive(user=customer(request), **_which(request))))


def _which(request: Request) -> dict[str, Any]:
    form = WhichSerializer(data=request.data)
    form.is_valid(raise_exception=True)
    return form.validated_data


def _changed(result: services.Changed) -> dict[str, int]:
    return {"changed": result.changed, "unread": result.unread, "seq": result.seq}


class ExportView(ApiView):
    query_fields = ExportQuerySerializer
    content_negotiation_class = FormatFieldNegotiation

    @extend_schema(
        operation_id="notifications_export",
        tags=_TAGS,
        parameters=[ExportQuerySerializer],
        responses=EXPORTED,
        examples=[
            response_example("CSV", "created_at,seq,type\r\n2026-11-21T10:00:01Z,17,login\r\n", media_type="text/csv"),
            response_example("JSON", _NOTIFICATION),
        ],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """All that the filters leave, as CSV or JSON."""
        given = self.given
        return exports.respond(_listing(request, given), user=customer(request), as_format=given["format"])


class ReadView(ApiView):
    @extend_schema(
        operation_id="notifications_read",
        tags=_TAGS,
        request=None,
        responses=NotificationSerializer,
        examples=[response_example("Read", {**_NOTIFICATION, "is_read": True})],
    )
    def post(self, request: Request, notification_id: int) -> Response:
        """Mark one as read."""
        user = customer(request)
        notification = services.read_one(user=user, notification_id=notification_id)
        return Response(rendering.render_all([notification], user=user)[0])


class ClickView(ApiView):
    @extend_schema(
        operation_id="notifications_click",
        tags=_TAGS,
        request=None,
        responses=NotificationSerializer,
        examples=[response_example("Read", {**_NOTIFICATION, "is_read": True})],
    )
    def post(self, request: Request, notification_id: int) -> Response:
        """Note that it was followed; that reads it too."""
        user = customer(request)
        notification = services.mark_clicked(user=user, notification_id=notification_id)
        return Response(rendering.render_all([notification], user=user)[0])
