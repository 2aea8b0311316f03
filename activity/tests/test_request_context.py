"""A customer's action is recorded with the address and the user agent that it came from."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory

from accounts.models import User
from accounts.services import create_api_key
from accounts.tests.factories import make_user
from activity.models import Activity
from activity.tests.factories import happened
from config.lib.request_context import RequestContextMiddleware

pytestmark = pytest.mark.django_db
WHERE = {"REMOTE_ADDR": "203.0.113.9", "HTTP_USER_AGENT": "Firefox"}


def last(user: User) -> tuple[str, str | None, str]:
    row = Activity.objects.filter(user=user).latest("pk")
    return row.event, row.ip_address, row.user_agent


def test_a_key_made_by_a_program_has_the_programs_address() -> None:
    user = make_user()
    _, secret = create_api_key(user=user, name="tests")
    assert last(user) == ("api_key_created", None, "")

    body = {"name": "shop", "scopes": ["read"]}
    client = Client(headers={"Authorization": f"Bearer {secret}"}, **WHERE)  # type: ignore[arg-type]
    assert client.post("/api/keys", body, content_type="application/json").status_code == 201

    assert last(user) == ("api_key_created", "203.0.113.9", "Firefox")


def test_a_setting_changed_on_a_page_has_the_browsers() -> None:
    user = make_user()
    client = Client(**WHERE)  # type: ignore[arg-type]
    client.force_login(user)
    client.post("/settings/profile", {"name": "Ada", "time_zone": "UTC"})
    assert last(user) == ("settings_updated", "203.0.113.9", "Firefox")


@pytest.mark.parametrize("event", ["settings_updated", "announcement"])
def test_another_ones_request_and_what_staff_do_leave_no_address(event: str) -> None:
    user, other = make_user(), make_user()
    data = {"settings_updated": {"what": "name"}, "announcement": {"title": "News", "text": "Good", "link": "/help"}}
    request: Any = RequestFactory().get("/", **WHERE)
    request.user = other if event == "settings_updated" else user
    RequestContextMiddleware(lambda _request: happened(user, event, **data[event]))(request)  # type: ignore[arg-type]
    assert last(user) == (event, None, "")
    happened(request.user, "settings_updated", what="name")  # after the request
    assert last(request.user)[1:] == (None, "")
