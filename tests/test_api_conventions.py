"""What holds for every operation: its description, its refusals, its pages, its keys."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from django.conf import settings as django_settings
from django.urls import resolve
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import PolicyAcceptance
from activity.models import Activity
from config.lib.errors.problem_details import example_document
from config.lib.errors.registry import documented_errors
from dev.sandbox.testing import RunningSandbox
from dev.stack.environment import ROOT
from notifications import catalog
from payments.models import Payment, PaymentStatus
from refunds.models import Refund
from tests.operations import OPERATIONS, SCHEMA, client_of, filled
from tests.people import customer
from verifications import services
from verifications.models import Status
from wallet.models import Transaction

every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        name = node["$ref"].removeprefix("#/").split("/")
        node = SCHEMA
        for part in name:
            node = node[part]
    return node


def json_schema(node: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema: what may be null says so by its type."""
    if isinstance(node, list):
        return [json_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return json_schema(resolved(node))
    read = {name: json_schema(value) for name, value in node.items()}
    return {"anyOf": [read, {"type": "null"}]} if read.pop("nullable", False) else read


# --- the description


@every_operation
def test_it_is_described(operation: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"])
    assert 3 <= len(operation["summary"]) <= 110
    assert operation["summary"] in operation["description"]
    assert "Scope: `" in operation["description"]
    assert operation["tags"]
    assert operation["security"] == [{"ApiKey": []}, {"Session": []}]


def test_operation_ids_are_each_one_s_own() -> None:
    assert len({operation["operationId"] for operation in OPERATIONS.values()}) == len(OPERATIONS)


@every_operation
def test_it_shows_examples_that_are_as_described(operation: dict[str, Any]) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    answers = [resolved(answer) for status, answer in operation["responses"].items() if status != "204"]
    for answer in bodies + answers:
        for kind, content in answer["content"].items():
            assert content.get("examples"), (kind, answer.get("description"))
            for example in content["examples"].values():
                jsonschema.validate(example["value"], json_schema(content["schema"]))


@every_operation
def test_it_declares_its_refusals_as_problems(operation: dict[str, Any]) -> None:
    expected = {"401", "403", "406", "429"}
    places = {parameter["in"] for parameter in operation.get("parameters", [])}
    expected |= {"404"} if "path" in places else set()
    expected |= {"400", "413", "415"} if "requestBody" in operation else set()
    expected |= {"400"} if places & {"query", "header"} else set()
    assert operation["responses"].keys() >= expected
    for status, answer in operation["responses"].items():
        shape = resolved(answer)
        assert "X-Request-ID" in shape["headers"]
        if status >= "400":
            assert list(shape["content"]) == ["application/problem+json"]
        if status in ("429", "503"):
            assert "Retry-After" in shape["headers"]


@every_operation
def test_its_parameters_have_words_and_bounds(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        shape = resolved(parameter["schema"])
        if parameter["in"] != "path":
            assert parameter.get("description"), parameter["name"]
        if shape.get("type") == "integer" and parameter["in"] == "query":
            assert {"minimum", "maximum"} <= shape.keys(), parameter["name"]
        elif shape.get("type") == "string" and parameter["in"] in ("query", "header"):
            assert {"maxLength", "enum", "format", "pattern"} & shape.keys(), parameter["name"]


def example(code: str) -> dict[str, Any]:
    return example_document(documented_errors()[code])


def test_the_examples_of_problems_are_problems() -> None:
    for code, error in documented_errors().items():
        document = example(code)
        jsonschema.validate(document, json_schema(SCHEMA["components"]["schemas"]["Problem"]))
        assert (document["status"], document["detail"][-1]) == (error.status, ".")


def test_what_else_a_problem_may_have_is_described() -> None:
    described = SCHEMA["components"]["schemas"]["Problem"]["properties"].keys()
    assert [code for code in documented_errors() if not example(code).keys() <= described] == []
    assert example("price_moved")["price"] == "2.70"
    funds = example("insufficient_funds")
    assert (funds["available"], funds["required"]) == ("1.00", "12.50")
    assert example("in_progress")["retry_after"] == 8


@every_operation
def test_an_answer_with_a_time_to_wait_declares_its_header(operation: dict[str, Any]) -> None:
    for answer in map(resolved, operation["responses"].values()):
        examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {}).values()
        if any("retry_after" in example["value"] for example in examples):
            assert "Retry-After" in answer["headers"], answer["description"]


@every_operation
def test_it_may_meet_a_database_that_is_away(operation: dict[str, Any]) -> None:
    assert "unavailable" in operation["x-error-codes"]


def test_giving_numbers_back_has_a_limit_of_its_own() -> None:
    too_many = resolved(OPERATIONS["POST /api/v1/verify/{verification_id}/cancel"]["responses"]["429"])
    assert too_many["content"]["application/problem+json"]["examples"].keys() == {"over_limit", "throttled"}


def test_no_word_to_our_programmers_describes_a_body() -> None:
    described = {
        name: shape["description"] for name, shape in SCHEMA["components"]["schemas"].items() if "description" in shape
    }
    assert [name for name, words in described.items() if "DRF" in words] == []
    assert not {"CreateRequest", "InitializeRequest", "NewApiKeyRequest", "SearchRequest"} & described.keys()
    assert described["WhichRequest"].startswith("Either `ids` or `all: true`."), "what is said for them stays"


def test_the_example_of_a_notification_is_as_one_is() -> None:
    inbox = OPERATIONS["GET /api/notifications"]["responses"]["200"]["content"]["application/json"]
    [told] = next(iter(inbox["examples"].values()))["value"]["notifications"]
    kind = catalog.CATALOG["number_purchased"]
    assert (told["title"], told["message"]) == (kind.title, str(kind.message).format(phone="+1 212 555 0123"))
    assert resolve(told["link"]).url_name == "verification"


def test_the_front_page_has_a_quick_start_and_every_code() -> None:
    text = SCHEMA["info"]["description"]
    assert "## Quick start" in text
    assert all(f"| `{code}` | {error.status} |" in text for code, error in documented_errors().items())
    assert "600 a minute" in text
    assert "20 a second" in text


def test_the_guide_has_the_same_codes() -> None:
    table = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    assert table == [(code, str(error.status), str(error.remedy)) for code, error in documented_errors().items()]


# --- who may


@every_operation
@pytest.mark.django_db
def test_nobody_is_401_and_a_wrong_key_too(operation: dict[str, Any], request: pytest.FixtureRequest) -> None:
    method, path = next(name for name, one in OPERATIONS.items() if one is operation).split(" ")
    path = filled(path)
    for client in (APIClient(), APIClient(HTTP_AUTHORIZATION="Bearer rf_nonsense")):
        answer = client.generic(method, path)
        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
        assert (answer.json()["code"], answer["WWW-Authenticate"]) == ("not_authenticated", 'Bearer realm="api"')


# --- lists


PARAMETERS = {
    path: {one["name"] for one in methods["get"].get("parameters", [])}
    for path, methods in SCHEMA["paths"].items()
    if "get" in methods
}
LISTS = sorted(path for path, names in PARAMETERS.items() if "limit" in names)


def test_the_lists_are_known() -> None:
    assert LISTS == [
        "/api/activities",
        "/api/activities/resource/{resource_type}/{resource_id}",
        "/api/keys",
        "/api/notifications",
        "/api/notifications/center",
        "/api/payments",
        "/api/refunds",
        "/api/v1/countries",
        "/api/v1/favourites",
        "/api/v1/services",
        "/api/v1/verify",
        "/api/wallet/transactions",
        "/api/wallet/transactions/detailed",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("path", LISTS)
def test_a_list_refuses_a_page_that_makes_no_sense_by_the_name_of_its_field(path: str) -> None:
    api = client_of(customer())
    cursors = PARAMETERS[path] & {"before", "after"}
    path = path.replace("{resource_type}", "verification").replace("{resource_id}", "x")
    wrong = [("limit", value) for value in ("101", "0", "-1", "ten", "1.5", "", "\x00", "9" * 5000)]
    wrong += [("skip", value) for value in ("-1", "1000001", "x", "")]
    wrong += [(name, value) for name in cursors for value in ("", "!", "\x00", "9" * 500)]
    for field, value in wrong:
        answer = api.get(path, {field: value})
        assert (answer.status_code, answer.json().get("code")) == (400, "validation_error"), (field, value[:9])
        assert list(answer.json()["errors"]) == [field]
        assert answer.json()["detail"].startswith(f"{field}: ")


def seen(api: APIClient, path: str, **query: Any) -> tuple[int, list[Any]]:
    """The total, and how each row of a page is named as a cursor."""
    body = api.get(path, query).json()
    (rows,) = [value for name, value in body.items() if isinstance(value, list) and name != "open_verifications"]
    name = "sequence" if "wallet" in path else "seq" if "notifications" in path else "id"
    return body["total"], [row.get(name, row.get("reference")) for row in rows]


@pytest.fixture
def rich(sandbox: RunningSandbox, settings: Any) -> APIClient:
    """Somebody with five rows of everything at least."""
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{timezone.now().timestamp()}/.."
    services.sync_catalogue(now=timezone.now())
    user = customer(cents=50_00)
    for _ in range(5):
        bought = services.buy(user=user, service_name="test_pending").verification
        services.cancel(user=user, verification_id=bought.pk)
    now = timezone.now()
    for _ in range(5):
        Payment.objects.create(user=user, gateway="stripe", amount=5_00, currency="USD", expires_at=now)
    assert (Refund.objects.count(), Transaction.objects.count()) == (5, 11)
    assert Activity.objects.count() > 10
    return client_of(user)


@pytest.mark.django_db
def test_cursors_go_down_and_up_a_list_without_holes_and_leave_the_total(rich: APIClient) -> None:
    bought = rich.get("/api/v1/verify").json()["verifications"][0]["id"]
    for template in LISTS:
        if not {"before", "after"} <= PARAMETERS[template]:
            continue
        path = template.replace("{resource_type}", "verification").replace("{resource_id}", bought)
        total, everything = seen(rich, path, limit=100)
        assert total == len(everything) >= 4, path
        assert seen(rich, path, limit=2) == (total, everything[:2]), path
        assert seen(rich, path, limit=2, skip=1) == (total, everything[1:3]), path
        assert seen(rich, path, limit=2, before=everything[0]) == (total, everything[1:3]), path
        assert seen(rich, path, before=everything[-1]) == (total, []), path
        above = seen(rich, path, limit=2, after=everything[-1])
        if path == "/api/notifications":  # for polling: the oldest first, and how many are left
            assert above == (total - 1, everything[-3:-1][::-1])
        else:
            assert above == (total, everything[-3:-1]), path


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/activities", "/api/payments", "/api/refunds", "/api/v1/verify"])
def test_a_cursor_that_is_anothers_row_is_404(rich: APIClient, path: str) -> None:
    stranger = client_of(customer())
    _total, rows = seen(rich, path)
    for name in ("before", "after"):
        answer = stranger.get(path, {name: rows[0]})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# --- bodies


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/payments/initialize", {"amount": 20}, "amount"),
        ("/api/payments/initialize", {"amount": 20.5}, "amount"),
        ("/api/payments/initialize", {"amount": "20"}, "amount"),
        ("/api/payments/initialize", {"amount": " 20.00"}, "amount"),
        ("/api/payments/initialize", {"amount": "-20.00"}, "amount"),
        ("/api/v1/verify/create", {"service_name": "x", "max_price": "0.00"}, "max_price"),
        ("/api/payments/initialize", {"amount": "20.00", "gateway": 1}, "gateway"),
        ("/api/v1/verify/create", {"service_name": 1}, "service_name"),
        ("/api/v1/verify/create", {"service_name": "a\x00"}, "service_name"),
        ("/api/keys", {"name": "x", "scopes": "read"}, "scopes"),
        ("/api/keys", {"name": "x", "expires_at": 5}, "expires_at"),
        ("/api/notifications/bulk-read", {"all": "yes"}, "all"),
        ("/api/notifications/bulk-read", {"ids": ["1"]}, "ids"),
        ("/api/notifications/search", {"query": "x", "limit": True}, "limit"),
        ("/api/notifications/search", {"query": " " + 200 * "x"}, "query"),
    ],
)
def test_json_is_taken_at_its_word(path: str, body: Any, field: str) -> None:
    answer = client_of(customer()).post(path, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "given", "field", "sentence"),
    [
        ("get", "/api/wallet/transactions/export", {"format": "xls"}, "format", "Send one of: csv, json."),
        ("get", "/api/v1/verify", {"status": ""}, "status", f"Send one of: {', '.join(Status.values)}."),
        (
            "post",
            "/api/v1/verify/create",
            {"service_name": "x", "capability": "fax"},
            "capability",
            "Send one of: sms.",
        ),
        ("post", "/api/keys", {"name": "x", "scopes": ["all"]}, "scopes", "Send one of: read, buy, pay, manage."),
        ("post", "/api/keys", {"name": "x", "scopes": []}, "scopes", "Send at least one of: read, buy, pay, manage."),
        ("post", "/api/keys", {"name": "x", "scopes": "read"}, "scopes", "Send a list."),
        (
            "post",
            "/api/keys",
            {"name": "x", "expires_at": "soon"},
            "expires_at",
            'Send a time, such as "2026-11-21T10:00:00Z".',
        ),
        (
            "get",
            "/api/activities",
            {"start_date": "soon"},
            "start_date",
            'Send a time, such as "2026-11-21T10:00:00Z", or a day, such as "2026-11-21".',
        ),
        (
            "get",
            "/api/activities",
            {"end_date": "2026-13-01"},
            "end_date",
            'Send a time, such as "2026-11-21T10:00:00Z", or a day, such as "2026-11-21".',
        ),
        ("get", "/api/activities", {"limit": "ten"}, "limit", "Send a whole number."),
        ("get", "/api/notifications/center", {"is_read": "perhaps"}, "is_read", "Send true or false."),
        (
            "get",
            "/api/v1/services",
            {"country": "us"},
            "country",
            'Send the country as two capital letters, such as "US".',
        ),
    ],
)
def test_a_sentence_says_what_would_be_right(method: str, path: str, given: Any, field: str, sentence: str) -> None:
    answer = getattr(client_of(customer()), method)(path, given)
    assert (answer.status_code, answer.json()["errors"]) == (400, {field: [sentence]})
    assert answer.json()["detail"] == f"{field}: {sentence}"


@pytest.mark.django_db
@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_a_body_that_is_no_object_is_told_so(body: Any) -> None:
    answer = client_of(customer()).post("/api/keys", json.dumps(body), content_type="application/json")
    sentence = "Send a JSON object: names and values in braces."
    assert (answer.status_code, answer.json()["detail"]) == (400, sentence)
    assert answer.json()["errors"] == {"non_field_errors": [sentence]}


# --- the policy


@pytest.mark.django_db
def test_a_program_accepts_the_policy_that_it_names() -> None:
    user = customer()
    PolicyAcceptance.objects.all().delete()
    api = client_of(user, "manage", "read")
    version = django_settings.POLICY_VERSION
    assert api.get("/api/policy").json() == {"version": version, "accepted": False, "accepted_at": None}

    refused = api.post("/api/policy", {"version": "1999-01"})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["version"])
    assert version in refused.json()["detail"]
    assert not PolicyAcceptance.objects.exists()

    accepted = api.post("/api/policy", {"version": version})
    acceptance = PolicyAcceptance.objects.get()
    assert (accepted.status_code, acceptance.ip_address) == (200, "127.0.0.1")
    assert accepted.json() == {
        "version": version,
        "accepted": True,
        "accepted_at": acceptance.accepted_at.isoformat().replace("+00:00", "Z"),
    }
    assert api.post("/api/policy", {"version": version}).json() == accepted.json() == api.get("/api/policy").json()


@pytest.mark.django_db
def test_accepting_the_policy_needs_the_scope_manage() -> None:
    answer = client_of(customer(), "read", "buy", "pay").post(
        "/api/policy", {"version": django_settings.POLICY_VERSION}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


# --- idempotency


@pytest.mark.django_db(transaction=True)
def test_a_purchase_under_a_key_is_made_once(sandbox: RunningSandbox, settings: Any) -> None:
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{timezone.now().timestamp()}/.."
    services.sync_catalogue(now=timezone.now())
    api = client_of(customer(cents=5_00))
    order, key = {"service_name": "test_pending"}, {"Idempotency-Key": "an order: 1"}
    first = api.post("/api/v1/verify/create", order, headers=key)
    again = api.post("/api/v1/verify/create", order, headers=key)
    in_body = api.post("/api/v1/verify/create", {**order, "idempotency_key": "an order: 1"})
    assert [answer.status_code for answer in (first, again, in_body)] == [201, 200, 200]
    assert [answer.get("Idempotent-Replayed") for answer in (first, again, in_body)] == [None, "true", "true"]
    assert first.json()["id"] == again.json()["id"] == in_body.json()["id"]
    assert len(sandbox.ledger()["numbers"]) == 1

    other = api.post("/api/v1/verify/create", {"service_name": "test_success"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    two = api.post("/api/v1/verify/create", {**order, "idempotency_key": "another"}, headers=key)
    assert (two.status_code, list(two.json()["errors"])) == (400, ["idempotency_key"])
    stranger = client_of(customer(cents=5_00))
    assert stranger.post("/api/v1/verify/create", order, headers=key).status_code == 201, "keys are each customer's own"


@pytest.mark.django_db(transaction=True)
def test_a_top_up_under_a_key_is_begun_once_and_goes_on_after_a_failure(sandbox: RunningSandbox, settings: Any) -> None:
    settings.GATEWAY_TIMEOUT_SECONDS = 1
    api, key = client_of(customer()), {"Idempotency-Key": "top-up-1"}
    sandbox.fault("POST /stripe", "error_500", times=5)
    failed = api.post("/api/payments/initialize", {"amount": "20.00"}, headers=key)
    assert (failed.status_code, failed.json()["code"]) == (503, "gateway_unavailable")
    sandbox.reset()
    goes_on = api.post("/api/payments/initialize", {"amount": "20.00"}, headers=key)
    again = api.post("/api/payments/initialize", {"amount": "20.00"}, headers=key)
    assert [answer.status_code for answer in (goes_on, again)] == [200, 200]
    assert goes_on["Idempotent-Replayed"] == again["Idempotent-Replayed"] == "true"
    assert goes_on.json() == again.json()
    payment = Payment.objects.get()
    assert (payment.reference, payment.status) == (failed.json()["reference"], PaymentStatus.INITIATED)
    assert goes_on.json()["checkout_url"] == payment.checkout_url != ""
    other = api.post("/api/payments/initialize", {"amount": "25.00"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/payments/initialize", {"amount": "20.00"}),
        ("/api/v1/verify/create", {"service_name": "test_pending"}),
    ],
)
@pytest.mark.parametrize("key", ["", "x" * 256, "é", " "])
def test_a_key_of_another_shape_is_refused_by_name(path: str, body: Any, key: str) -> None:
    answer = client_of(customer()).post(path, body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]
