"""The feed by API."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import make_user
from activity import events, selectors
from activity.tests.factories import happened
from config.lib.unit_of_work import unit_of_work

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def client(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.data
    return [row["id"] for row in response.data["activities"]]


def test_an_activity_is_all_that_was_written_down(client: APIClient, user: User) -> None:
    activity = happened(user, "low_balance", balance="1.50", resource=("wallet", "7"), now=MOMENT)

    expected = {
        "id": activity.pk,
        "event": "low_balance",
        "activity_type": "wallet",
        "resource_type": "wallet",
        "resource_id": "7",
        "action": "updated",
        "status": "completed",
        "title": "Low Balance",
        "description": "$1.50 left",
        "data": {"balance": "1.50"},
        "actor": "system",
        "ip_address": None,
        "user_agent": "",
        "created_at": "2026-11-21T12:00:00Z",
    }
    assert client.get(f"/api/activities/{activity.pk}").json() == expected
    assert client.get("/api/activities").json() == {"total": 1, "activities": [expected]}


def test_the_feed_filters(client: APIClient, user: User) -> None:
    low, timeout, done = (
        happened(user, event, now=MOMENT + timedelta(days=day)).pk
        for day, event in enumerate(["low_balance", "verification_timeout", "verification_complete"])
    )

    def listed(**query: Any) -> list[int]:
        return ids(client.get("/api/activities", query))

    assert listed() == [done, timeout, low]
    assert listed(activity_type="verification") == [done, timeout]
    assert listed(resource_type="wallet") == [low]
    assert listed(status="failed") == [timeout]
    assert listed(start_date="2026-11-22") == [done, timeout]
    assert listed(end_date="2026-11-22") == [timeout, low]
    assert listed(q="code arrived") == [done, timeout]
    assert listed(before=timeout) == [low]
    assert listed(limit=1, skip=1) == [timeout]


def test_going_on_below_a_row_skips_none_of_the_same_moment(client: APIClient, user: User) -> None:
    first, second, third = (happened(user, now=MOMENT).pk for _ in range(3))

    assert ids(client.get("/api/activities", {"before": third})) == [second, first]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"activity_type": "x"}, "activity_type"),
        ({"status": "x"}, "status"),
        ({"start_date": "x"}, "start_date"),
        ({"start_date": "2026-11-22", "end_date": "2026-11-21"}, "end_date"),
        ({"q": "a\x00"}, "q"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(client: APIClient, query: dict[str, str], field: str) -> None:
    response = client.get("/api/activities", query)

    assert (response.status_code, list(response.json()["errors"])) == (400, [field])


def test_the_last_day_there_is_can_end_a_range(client: APIClient) -> None:
    assert ids(client.get("/api/activities", {"end_date": "9999-12-31"})) == []


def test_a_resource_has_its_own_events(client: APIClient, user: User) -> None:
    mine = [happened(user, resource=("payment", "pay_1")).pk for _ in range(2)]
    happened(user, resource=("payment", "pay_2"))
    happened(make_user(), resource=("payment", "pay_1"))

    assert ids(client.get("/api/activities/resource/payment/pay_1")) == [mine[1], mine[0]]


def test_the_overview_counts(client: APIClient, user: User) -> None:
    for event in ("low_balance", "verification_timeout", "verification_progress"):
        happened(user, event, now=MOMENT)
    happened(make_user(), now=MOMENT)

    assert client.get("/api/activities/summary/overview").json() == {
        "total": 3,
        "by_type": {"verification": 2, "wallet": 1},
        "by_status": {"completed": 1, "failed": 1, "pending": 1},
        "last_at": "2026-11-21T12:00:00Z",
    }
    assert client.get("/api/activities/summary/overview", {"end_date": "2026-11-20"}).json() == {
        "total": 0,
        "by_type": {},
        "by_status": {},
        "last_at": None,
    }


def test_anothers_activity_is_not_found(client: APIClient) -> None:
    theirs = happened(make_user())

    for path in (f"{theirs.pk}", f"{10**30}", "resource/payment"):
        response = client.get(f"/api/activities/{path}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert client.get("/api/activities", {"before": theirs.pk}).status_code == 404


def test_an_export_holds_no_formula(client: APIClient, user: User) -> None:
    happened(user, "api_key_created", name="=1+1", now=MOMENT)
    happened(user, "low_balance", now=MOMENT)

    response = client.post("/api/activities/export", {"activity_type": "api_key"})
    rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))

    assert rows[1:] == [
        [
            "2026-11-21T12:00:00Z", "api_key_created", "api_key", "created", "completed", "API Key Created", "'=1+1",
            "api_key", "", "customer", "", '{"name": "=1+1"}',
        ]
    ]  # fmt: skip


def test_an_export_as_json_is_the_feed(client: APIClient, user: User) -> None:
    activity = happened(user)

    response = client.post("/api/activities/export", {"format": "json"})

    assert json.loads(b"".join(response.streaming_content)) == [selectors.render(activity)]


def test_who_of_staff_did_it_from_where_stays_inside(user: User) -> None:
    from activity.services import record

    with unit_of_work():
        activity = record(
            event=events.PURCHASES_FROZEN,
            user=user,
            data={"reason": "Dispute"},
            ip_address="203.0.113.9",
            user_agent="Staff",
        )

    assert (selectors.render(activity)["ip_address"], selectors.render(activity)["user_agent"]) == (None, "")


@pytest.mark.parametrize("times", [1, 3])
def test_a_page_of_the_feed_is_two_queries(
    client: APIClient, user: User, times: int, django_assert_num_queries: Any
) -> None:
    for _ in range(times):
        happened(user)

    with django_assert_num_queries(2):
        client.get("/api/activities")


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("get", "/1"), ("get", "/summary/overview"), ("get", "/resource/payment/x"), ("post", "/export")],
)
def test_nobody_reads_a_feed_without_signing_in(method: str, path: str) -> None:
    assert getattr(APIClient(), method)(f"/api/activities{path}").status_code == 401
