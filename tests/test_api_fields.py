"""What an operation doesn't know is refused by its name, in the address and in the body."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from activity.models import Activity
from tests.operations import OPERATIONS, client_of, filled
from tests.people import customer

pytestmark = pytest.mark.django_db
NOTHING = "There is no such field here: this call takes none."


@pytest.fixture
def staff() -> User:
    user = customer()
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def client(staff: User) -> APIClient:
    return client_of(staff)


def refusal(answer: Any) -> tuple[int, str, list[str]]:
    document = answer.json() if answer.get("Content-Type") == "application/problem+json" else {}
    return answer.status_code, document.get("code", ""), list(document.get("errors", {}))


def test_an_unknown_name_in_the_address_is_refused_everywhere(client: APIClient) -> None:
    answers = {}
    for name in OPERATIONS:
        method, path = name.split(" ")
        answers[name] = refusal(client.generic(method, f"{filled(path)}?nonsense=1"))
    assert answers == dict.fromkeys(OPERATIONS, (400, "validation_error", ["nonsense"]))


def test_an_unknown_name_in_the_body_is_refused_everywhere(client: APIClient) -> None:
    writes = [name for name in OPERATIONS if not name.startswith("GET ")]
    answers = {}
    for name in writes:
        method, path = name.split(" ")
        answers[name] = refusal(client.generic(method, filled(path), '{"nonsense": 1}', "application/json"))
    assert answers == dict.fromkeys(writes, (400, "validation_error", ["nonsense"]))


def test_each_body_is_described_as_having_no_other_fields() -> None:
    from tests.operations import SCHEMA

    open_ones = [
        name
        for name, operation in OPERATIONS.items()
        for media in operation.get("requestBody", {}).get("content", {}).values()
        if SCHEMA["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]].get("additionalProperties")
        is not False
    ]
    assert open_ones == []


def test_a_misspelt_recipient_is_nobody_and_never_all(client: APIClient) -> None:
    customer()
    answer = client.post("/api/websocket/broadcast", {"title": "Hello", "text": "For you.", "user-id": 1})
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        {"user-id": ["There is no such field here. There are: title, text, link, user_id."]},
    )
    assert not Activity.objects.filter(event="announcement").exists()


@pytest.mark.parametrize("path", ["/api/wallet/balance", "/api/websocket/ticket"])
def test_a_call_without_fields_says_so(client: APIClient, path: str) -> None:
    method = "post" if "ticket" in path else "get"
    answer = getattr(client, method)(f"{path}?user=2")
    assert answer.json()["errors"] == {"user": [NOTHING]}


@pytest.mark.parametrize("body", ["", "{}", "null"])
def test_a_call_without_a_body_takes_an_empty_one(client: APIClient, body: str) -> None:
    answer = client.generic("POST", "/api/websocket/ticket", body, "application/json" if body else "")
    assert answer.status_code == 201


def test_a_call_without_a_body_takes_no_list(client: APIClient) -> None:
    answer = client.generic("POST", "/api/websocket/ticket", "[1]", "application/json")
    assert (answer.status_code, answer.json()["errors"]) == (400, {"non_field_errors": ["This call takes no body."]})


def test_no_more_than_twenty_names_come_back(client: APIClient) -> None:
    answer = client.post("/api/keys", {f"x{number}" * 200: 1 for number in range(1000)})
    assert answer.status_code == 400
    assert (len(answer.json()["errors"]), max(map(len, answer.json()["errors"]))) == (20, 100)


@pytest.mark.parametrize(
    ("path", "field", "sentence"),
    [
        ("/api/v1/services?country=", "country", 'Send the country as two capital letters, such as "US".'),
        ("/api/v1/services/x?country=", "country", 'Send the country as two capital letters, such as "US".'),
        ("/api/v1/services/x?area_code=", "area_code", 'Send the area code as three digits, such as "212".'),
        ("/api/payments?skip=0.0", "skip", "Send a whole number."),
        ("/api/payments?skip=%2B1", "skip", "Send a whole number."),
        ("/api/payments?limit=10.", "limit", "Send a whole number."),
        ("/api/payments?limit=%D9%A3", "limit", "Send a whole number."),
        ("/api/wallet/transactions?before=5.0", "before", "Send a whole number."),
        ("/api/admin/transactions/monitor?minutes=60.0", "minutes", "Send a whole number."),
        ("/api/v1/countries?skip=0.0", "skip", "Send a whole number."),
    ],
)
def test_what_only_looks_like_a_value_is_refused_in_a_sentence(
    client: APIClient, path: str, field: str, sentence: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["errors"]) == (400, {field: [sentence]})


def test_a_search_is_in_the_body_or_in_the_address(client: APIClient) -> None:
    path = "/api/notifications/search"
    empty = {"total": 0, "suggestions": [], "notifications": []}
    assert client.post(path, {"query": "nothing"}).json() == empty
    assert client.post(f"{path}?query=nothing&limit=5").json() == empty
    assert client.post(f"{path}?limit=5", {"query": "nothing"}).json() == empty
    assert client.post(f"{path}?limit=500", {"query": "nothing"}).status_code == 400
    for address in (path, f"{path}?limit=5"):
        assert client.post(address).json()["errors"] == {"query": ["Name the words to look for."]}
