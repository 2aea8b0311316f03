"""The inbox by API."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.models import User
from accounts.tests.factories import make_user
from activity.tests.factories import happened, make_verification
from notifications.inbox import rendering, selectors, services
from notifications.models import Notification
from wallet import services as wallet
from wallet.tests.factories import funded

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


def notified(user: User, event: str = "announcement", **given: Any) -> Notification:
    return Notification.objects.get(activity=happened(user, event, **given))


def seqs(response: Any) -> list[int]:
    assert response.status_code == 200, response.data
    return [row["seq"] for row in response.data["notifications"]]


def test_the_inbox_is_everything_that_a_page_shows_live(client: APIClient, user: User) -> None:
    funded(user, 2_500)
    wallet.hold(user=user, amount=50, reference="verification:x", description="A number")
    verification = make_verification(user)
    row = Notification.objects.get()

    response = client.get("/api/notifications")

    assert response.json() == {
        "total": 1,
        "unread": 1,
        "seq": 1,
        "balance": "25.00",
        "available": "24.50",
        "version": 1,
        "open_verifications": [open_frame(verification)],
        "notifications": [dict(rendering.render(row))],
    }


def open_frame(verification: Any) -> dict[str, Any]:
    from verifications.selectors import summary_of

    verification.refresh_from_db()
    return json.loads(json.dumps(summary_of(verification)))


def test_the_inbox_of_a_newcomer_is_empty(client: APIClient) -> None:
    assert client.get("/api/notifications").json() == {
        "total": 0,
        "unread": 0,
        "seq": 0,
        "balance": "0.00",
        "available": "0.00",
        "version": 0,
        "open_verifications": [],
        "notifications": [],
    }


def test_whoever_polls_goes_on_from_the_last_seq(client: APIClient, user: User) -> None:
    for _ in range(5):
        notified(user)

    first = client.get("/api/notifications", {"after": 1, "limit": 2})
    rest = client.get("/api/notifications", {"after": 3})

    assert (seqs(first), first.data["total"], first.data["seq"]) == ([2, 3], 4, 5)
    assert (seqs(rest), rest.data["total"]) == ([4, 5], 2)


def test_the_newest_come_first(client: APIClient, user: User) -> None:
    for _ in range(3):
        notified(user)

    assert seqs(client.get("/api/notifications", {"skip": 1, "limit": 1})) == [2]


@pytest.mark.parametrize("times", [1, 3])
def test_the_inbox_is_four_queries_and_one_for_what_is_open(
    client: APIClient, user: User, times: int, django_assert_num_queries: Any
) -> None:
    funded(user, 100)
    for _ in range(times):
        ended = make_verification(user, status="completed")
        notified(user, "verification_complete", resource=("verification", str(ended.pk)))

    with django_assert_num_queries(4):  # position and total, rows, codes, what is open
        client.get("/api/notifications")

    for _ in range(times):
        make_verification(user)
    with django_assert_num_queries(5):  # and its messages
        client.get("/api/notifications")


@pytest.mark.parametrize("times", [1, 3])
def test_a_page_of_the_centre_is_four_queries(
    client: APIClient, user: User, times: int, django_assert_num_queries: Any
) -> None:
    for _ in range(times):
        notified(user, "verification_complete", resource=("verification", str(make_verification(user).pk)))

    with django_assert_num_queries(4):
        client.get("/api/notifications/center")


def test_the_centre_filters_and_sorts(client: APIClient, user: User) -> None:
    for number, event in enumerate(["low_balance", "announcement", "announcement", "payment_expired"]):
        notified(user, event, now=MOMENT + timedelta(days=number))
    services.mark_read(user=user, ids=[Notification.objects.get(seq=4).pk])

    def listed(**query: Any) -> list[int]:
        return seqs(client.get("/api/notifications/center", query))

    assert listed() == [4, 3, 2, 1]
    assert listed(category="announcement") == [3, 2]
    assert listed(is_read="true") == [4]
    assert listed(is_read="false") == [3, 2, 1]
    assert listed(start_date="2026-11-22T12:00:00Z") == [4, 3, 2]
    assert listed(end_date="2026-11-22T12:00:00Z") == [2, 1]
    assert listed(end_date="2026-11-22T11:59:59.999999Z") == [1]
    assert listed(start_date="2026-11-22", end_date="2026-11-23") == [3, 2]
    assert listed(sort="oldest") == [1, 2, 3, 4]
    assert listed(sort="unread") == [3, 2, 1, 4]
    assert listed(before=3) == [2, 1]


def test_what_is_hidden_is_listed_nowhere(client: APIClient, user: User) -> None:
    rows = [notified(user) for _ in range(3)]
    services.archive(user=user, ids=[rows[0].pk])
    services.delete(user=user, ids=[rows[1].pk])

    for path in ("", "/center"):
        response = client.get(f"/api/notifications{path}")
        assert (seqs(response), response.data["total"], response.data["seq"]) == ([3], 1, 3)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"category": "nonsense"}, "category"),
        ({"is_read": "perhaps"}, "is_read"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"start_date": "2026-11-22", "end_date": "2026-11-21"}, "end_date"),
        ({"sort": "loudest"}, "sort"),
        ({"before": "0"}, "before"),
        ({"before": "5", "sort": "oldest"}, "before"),
        ({"limit": "101"}, "limit"),
        ({"skip": "-1"}, "skip"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(client: APIClient, query: dict[str, str], field: str) -> None:
    response = client.get("/api/notifications/center", query)

    assert (response.status_code, response.json()["code"], list(response.json()["errors"])) == (
        400,
        "validation_error",
        [field],
    )


def test_categories_count_what_is_there_and_unread(client: APIClient, user: User) -> None:
    services.mark_read(user=user, ids=[notified(user).pk])
    notified(user)
    notified(user, "low_balance")

    found = {row["category"]: row for row in client.get("/api/notifications/categories").json()["categories"]}

    assert found["announcement"] == {
        "category": "announcement",
        "title": "Announcements",
        "total": 2,
        "unread": 1,
    }
    assert (found["wallet"]["total"], found["payment"]["total"], len(found)) == (1, 0, 7)


def test_search_finds_words_of_title_text_and_resource(client: APIClient, user: User) -> None:
    notified(user, "payment_completed", amount="20.00", reference="pay_77", resource=("payment", "pay_77"))
    notified(user, "verification_timeout", service="WhatsApp")
    notified(user, "verification_timeout", service="Telegram")

    def found(query: str) -> list[int]:
        return seqs(client.post("/api/notifications/search", {"query": query}))

    assert found("whatsapp") == [2]
    assert found("code arrived") == [3, 2]
    assert found("pay_77") == [1]
    assert found("$20.00") == [1]
    assert found("100%") == []


def test_search_suggests_what_the_findings_share(client: APIClient, user: User) -> None:
    notified(user, "verification_timeout", service="WhatsApp")
    notified(user, "verification_timeout", service="WhatsApp")

    body = client.post("/api/notifications/search", {"query": "whatsapp"}).json()

    assert (body["total"], body["suggestions"]) == (2, ["No Code Arrived", "WhatsApp"])


@pytest.mark.parametrize("body", [{}, {"query": ""}, {"query": "a\x00b"}, {"query": ["a"]}])
def test_a_search_for_nothing_is_refused(client: APIClient, body: Any) -> None:
    assert client.post("/api/notifications/search", body).status_code == 400


@pytest.mark.parametrize("verb", ["read", "delete", "archive"])
def test_a_bulk_change_answers_with_the_counters(client: APIClient, user: User, verb: str) -> None:
    rows = [notified(user) for _ in range(3)]
    theirs = notified(make_user())

    some = client.post(f"/api/notifications/bulk-{verb}", {"ids": [rows[0].pk, theirs.pk]})
    all_ = client.post(f"/api/notifications/bulk-{verb}", {"all": True})

    assert some.json() == {"changed": 1, "unread": 2, "seq": 3}
    assert all_.json() == {"changed": 2, "unread": 0, "seq": 3}
    assert Notification.objects.filter(pk=theirs.pk, read_at=None, archived_at=None, deleted_at=None).exists()


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": []}, {"ids": [1], "all": True}, {"all": False}, {"ids": ["a"]}, {"ids": [2**63]}, {"ids": [0]}, []],
)
def test_a_bulk_change_says_which(client: APIClient, body: Any) -> None:
    response = client.post("/api/notifications/bulk-read", body)

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")


@pytest.mark.parametrize("verb", ["read", "click"])
def test_one_is_read_or_followed(client: APIClient, user: User, verb: str) -> None:
    row = notified(user)

    response = client.post(f"/api/notifications/{row.pk}/{verb}")

    assert response.json() == {**rendering.render(row), "is_read": True}
    assert selectors.inbox_of(user=user).unread == 0


@pytest.mark.parametrize("verb", ["read", "click"])
def test_another_customers_is_not_found(client: APIClient, verb: str) -> None:
    theirs = notified(make_user())

    for pk in (theirs.pk, 2**63, 10**30):
        response = client.post(f"/api/notifications/{pk}/{verb}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_an_export_is_a_table_of_all_that_the_filters_leave(client: APIClient, user: User) -> None:
    notified(user, "low_balance", balance="1.50", now=MOMENT)
    notified(user, title='=HYPERLINK("x")', text="-1+1", link="/help", now=MOMENT)

    day, left = "2026-11-21T12:00:00Z", "$1.50 left. Add credits to continue"
    text = b"".join(client.get("/api/notifications/export", {"format": "csv"}).streaming_content).decode()
    rows = list(csv.reader(io.StringIO(text)))
    body = b"".join(client.get("/api/notifications/export?format=json&category=wallet").streaming_content)

    assert rows == [
        ["created_at", "seq", "type", "category", "priority", "title", "message", "link", "is_read"],
        [day, "2", "announcement", "announcement", "medium", '\'=HYPERLINK("x")', "'-1+1", "/help", "False"],
        [day, "1", "low_balance", "wallet", "medium", "Low Balance", left, "/wallet/top-up", "False"],
    ]
    assert [row["seq"] for row in json.loads(body)] == [1]


def test_an_export_of_an_unknown_kind_is_refused(client: APIClient) -> None:
    assert client.get("/api/notifications/export?format=xlsx").status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("get", "/center"),
        ("get", "/categories"),
        ("get", "/export"),
        ("post", "/search"),
        ("post", "/bulk-read"),
        ("post", "/1/read"),
    ],
)
def test_nobody_reads_an_inbox_without_signing_in(method: str, path: str) -> None:
    response = getattr(APIClient(), method)(f"/api/notifications{path}")

    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")


def test_a_key_reads_with_the_scope_read_and_changes_with_manage(user: User) -> None:
    _, secret = accounts.create_api_key(user=user, name="ci", scopes=["read"])
    client = APIClient(headers={"Authorization": f"Bearer {secret}"})

    assert client.get("/api/notifications").status_code == 200
    assert client.post("/api/notifications/search", {"query": "x"}).status_code == 200
    assert client.post("/api/notifications/bulk-read", {"all": True}).status_code == 403
