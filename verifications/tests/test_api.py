"""The API: shapes, codes, keys, who may."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.services import create_api_key, set_purchases_frozen
from accounts.tests.factories import make_user
from dev.sandbox.testing import RunningSandbox
from verifications import providers, services
from verifications.models import Status, Verification
from verifications.tests.factories import make_offer
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db
CREATE = "/api/v1/verify/create"


class Api:
    """A program with a key."""

    def __init__(self, user: User, *scopes: str) -> None:
        self.user = user
        _, secret = create_api_key(user=user, name="tests", scopes=scopes or ("read", "buy"))
        self._client = Client(headers={"Authorization": f"Bearer {secret}"})

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(path, query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._client.post(path, json.dumps(body or {}), content_type="application/json", headers=headers)


@pytest.fixture
def api(customer: User) -> Api:
    return Api(customer)


def assert_problem(response: Any, status: int, code: str, **members: Any) -> dict[str, Any]:
    body = response.json()
    assert (response.status_code, body["code"], body["status"]) == (status, code, status), body
    assert response["Content-Type"] == "application/problem+json"
    assert str(body["detail"]).endswith(".")
    assert {name: body.get(name) for name in members} == members
    return body


def test_countries_are_listed(shop: RunningSandbox, api: Api) -> None:
    body = api.get("/api/v1/countries").json()
    assert body == {"total": 1, "countries": [{"code": "US", "name": "United States", "services": 5}]}


def test_services_have_price_stock_and_success_rate(shop: RunningSandbox, api: Api) -> None:
    make_offer("whatsapp", title="WhatsApp", stock=7, success_rate="0.9100", price=250)
    assert api.get("/api/v1/services", q="whats").json() == {
        "total": 1,
        "services": [
            {
                "service_name": "whatsapp",
                "title": "WhatsApp",
                "category": "Testing",
                "country": "US",
                "capability": "sms",
                "price": "2.50",
                "stock": 7,
                "success_rate": 0.91,
            }
        ],
    }


def test_blocked_services_are_not_listed(shop: RunningSandbox, api: Api) -> None:
    make_offer("chase", blocked=True)
    assert api.get("/api/v1/services", q="chase").json() == {"total": 0, "services": []}


def test_a_country_without_offers_is_an_empty_list(shop: RunningSandbox, api: Api) -> None:
    assert api.get("/api/v1/services", country="GB").json() == {"total": 0, "services": []}


@pytest.mark.parametrize("query", [{"country": "usa"}, {"limit": 101}, {"skip": -1}, {"q": "x" * 81}, {"q": "\0"}])
def test_a_bad_query_of_services_is_named(shop: RunningSandbox, api: Api, query: dict[str, Any]) -> None:
    body = assert_problem(api.get("/api/v1/services", **query), 400, "validation_error")
    assert set(body["errors"]) == set(query)


def test_buying_answers_201_with_the_number(shop: RunningSandbox, api: Api) -> None:
    response = api.post(CREATE, {"service_name": "test_pending", "country": "US", "max_price": "0.50"})
    bought = Verification.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": str(bought.pk),
        "service_name": "test_pending",
        "country": "US",
        "capability": "sms",
        "status": "waiting",
        "phone_number": bought.phone_number,
        "cost": "0.50",
        "currency": "USD",
        "code": None,
        "sms_text": None,
        "messages": [],
        "cancelling": False,
        "created_at": bought.created_at.isoformat().replace("+00:00", "Z"),
        "expires_at": bought.expires_at.isoformat().replace("+00:00", "Z"),
        "completed_at": None,
        "failure_reason": None,
        "refund": None,
    }


def test_a_replay_answers_200_and_says_so(shop: RunningSandbox, api: Api) -> None:
    request = {"service_name": "test_pending"}
    first = api.post(CREATE, request, **{"Idempotency-Key": "k-1"})
    again = api.post(CREATE, {**request, "idempotency_key": "k-1"})
    assert (first.status_code, "Idempotent-Replayed" in first) == (201, False)
    assert (again.status_code, again["Idempotent-Replayed"], again.json()) == (200, "true", first.json())


def test_an_unknown_outcome_is_201_requested(shop: RunningSandbox, api: Api) -> None:
    shop.fault(r"POST .*/v2/verifications$", "error_500")
    response = api.post(CREATE, {"service_name": "test_pending"})
    assert (response.status_code, response.json()["status"], response.json()["phone_number"]) == (
        201,
        "requested",
        None,
    )


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({}, "service_name"),
        ({"service_name": "test_pending", "country": "usa"}, "country"),
        ({"service_name": "test_pending", "capability": "fax"}, "capability"),
        ({"service_name": "test_pending", "area_code": "12"}, "area_code"),
        ({"service_name": "test_pending", "max_price": 0.5}, "max_price"),
        ({"service_name": "test_pending", "max_price": "-1.00"}, "max_price"),
        ({"service_name": "test_pending", "idempotency_key": "x" * 256}, "idempotency_key"),
        ({"service_name": "test\0"}, "service_name"),
    ],
)
def test_a_bad_request_names_the_field(shop: RunningSandbox, api: Api, request_: dict[str, Any], field: str) -> None:
    body = assert_problem(api.post(CREATE, request_), 400, "validation_error")
    assert list(body["errors"]) == [field]


def test_a_header_and_a_body_key_that_differ_are_refused(shop: RunningSandbox, api: Api) -> None:
    response = api.post(CREATE, {"service_name": "test_pending", "idempotency_key": "a"}, **{"Idempotency-Key": "b"})
    assert list(assert_problem(response, 400, "validation_error")["errors"]) == ["idempotency_key"]


def test_one_service_has_the_price_that_a_purchase_costs(shop: RunningSandbox, api: Api) -> None:
    plain, with_area = (
        api.get("/api/v1/services/test_pending"),
        api.get("/api/v1/services/test_pending", area_code="212"),
    )
    assert (plain.status_code, plain.json()["service_name"], plain.json()["price"]) == (200, "test_pending", "0.50")
    bought = api.post(CREATE, {"service_name": "test_pending", "area_code": "212"}).json()
    assert with_area.json()["price"] == bought["cost"] == "0.70"


def test_one_service_that_is_not_sold_is_refused_as_a_purchase_is(shop: RunningSandbox, api: Api) -> None:
    make_offer("chase", blocked=True)
    assert_problem(api.get("/api/v1/services/nonesuch"), 404, "unknown_service")
    assert_problem(api.get("/api/v1/services/chase"), 403, "service_blocked")
    body = assert_problem(api.get("/api/v1/services/test_pending", area_code="12"), 400, "validation_error")
    assert set(body["errors"]) == {"area_code"}


# --- each refusal in its form


def test_unknown_service(shop: RunningSandbox, api: Api) -> None:
    assert_problem(api.post(CREATE, {"service_name": "nonesuch"}), 404, "unknown_service")
    elsewhere = {"service_name": "test_pending", "country": "FR"}
    sentence = "There are no numbers for this service in this country. Choose another country."
    assert_problem(api.post(CREATE, elsewhere), 404, "unknown_service", detail=sentence)


def test_service_blocked(shop: RunningSandbox, api: Api) -> None:
    make_offer("chase", blocked=True)
    assert_problem(api.post(CREATE, {"service_name": "chase"}), 403, "service_blocked")


def test_policy_not_accepted(shop: RunningSandbox) -> None:
    newcomer = Api(make_user(accepted=False))
    assert_problem(newcomer.post(CREATE, {"service_name": "test_pending"}), 403, "policy_not_accepted")


def test_purchases_frozen(shop: RunningSandbox, api: Api) -> None:
    set_purchases_frozen(user=api.user, frozen=True, reason="a dispute", now=timezone.now())
    assert_problem(api.post(CREATE, {"service_name": "test_pending"}), 403, "purchases_frozen")


def test_insufficient_funds(shop: RunningSandbox) -> None:
    response = Api(make_user()).post(CREATE, {"service_name": "test_pending"})
    assert_problem(response, 402, "insufficient_funds", available="0.00", required="0.50")


def test_over_limit(shop: RunningSandbox, api: Api, settings: Any) -> None:
    settings.MAX_PENDING = 0
    response = api.post(CREATE, {"service_name": "test_pending"})
    assert_problem(response, 429, "over_limit", retry_after=30)
    assert response["Retry-After"] == "30"


def test_price_moved(shop: RunningSandbox, api: Api) -> None:
    response = api.post(CREATE, {"service_name": "test_pending", "max_price": "0.49"})
    assert_problem(response, 409, "price_moved", price="0.50")


def test_out_of_stock_carries_the_verification(shop: RunningSandbox, api: Api) -> None:
    body = assert_problem(api.post(CREATE, {"service_name": "test_no_numbers"}), 409, "out_of_stock")
    assert body["verification_id"] == str(Verification.objects.get().pk)


def test_provider_unavailable(shop: RunningSandbox, api: Api, settings: Any) -> None:
    for _ in range(settings.BREAKER_FAILURES):
        providers.purchase_breaker().failure()
    response = api.post(CREATE, {"service_name": "test_pending"})
    assert_problem(response, 503, "provider_unavailable")
    assert int(response["Retry-After"]) > 0


def test_in_progress(shop: RunningSandbox, api: Api) -> None:
    api.post(CREATE, {"service_name": "test_pending", "idempotency_key": "k"})
    Verification.objects.update(answered_at=None)
    response = api.post(CREATE, {"service_name": "test_pending", "idempotency_key": "k"})
    assert_problem(response, 409, "in_progress")
    assert 0 < int(response["Retry-After"]) <= 10


def test_key_reused(shop: RunningSandbox, api: Api) -> None:
    api.post(CREATE, {"service_name": "test_pending", "idempotency_key": "k"})
    assert_problem(api.post(CREATE, {"service_name": "test_success", "idempotency_key": "k"}), 422, "key_reused")


# --- looking, cancelling


def test_a_completed_verification_shows_its_code_to_its_owner(shop: RunningSandbox, api: Api) -> None:
    bought = services.buy(user=api.user, service_name="test_success").verification
    shop.advance(4)
    services.poll_due(now=timezone.now() + timedelta(seconds=3))
    body = api.get(f"/api/v1/verify/{bought.pk}").json()
    [message] = body["messages"]
    assert (body["status"], body["code"], body["sms_text"]) == ("completed", "123456", message["text"])
    assert (message["code"], body["completed_at"] is not None, body["refund"]) == ("123456", True, None)


def test_cancelling_answers_with_refund_and_balance_and_again_the_same(shop: RunningSandbox, api: Api) -> None:
    bought = services.buy(user=api.user, service_name="test_pending").verification
    answers = [api.post(f"/api/v1/verify/{bought.pk}/cancel") for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (200, {"status": "cancelled", "refund_amount": "0.50", "new_balance": "10.00"})
    ] * 2
    refund = api.get(f"/api/v1/verify/{bought.pk}").json()["refund"]
    assert (refund["amount"], refund["status"], refund["reason"]) == ("0.50", "completed", "cancelled")


def test_a_pending_cancel_is_202(shop: RunningSandbox, api: Api) -> None:
    bought = services.buy(user=api.user, service_name="test_pending").verification
    shop.fault(r"POST .*/cancel", "drop_before")
    answer = api.post(f"/api/v1/verify/{bought.pk}/cancel")
    assert (answer.status_code, answer.json()) == (
        202,
        {"status": "waiting", "refund_amount": "0.00", "new_balance": "9.50"},
    )


def test_too_early(shop: RunningSandbox, api: Api) -> None:
    bought = services.buy(user=api.user, service_name="test_pending").verification
    shop.settings(cancel_lock_seconds=60)
    response = api.post(f"/api/v1/verify/{bought.pk}/cancel")
    body = assert_problem(response, 409, "too_early")
    assert response["Retry-After"] == str(body["retry_after"])


def test_already_ended(shop: RunningSandbox, api: Api) -> None:
    bought = services.buy(user=api.user, service_name="test_pending").verification
    shop.sms(bought.phone_number, "111111 is your code")
    services.poll_due(now=timezone.now() + timedelta(seconds=3))
    assert_problem(api.post(f"/api/v1/verify/{bought.pk}/cancel"), 409, "already_ended")


def test_anothers_verification_is_not_there(shop: RunningSandbox, api: Api) -> None:
    bought = services.buy(user=api.user, service_name="test_pending").verification
    other = Api(make_user())
    for verification_id in (bought.pk, uuid.uuid4()):
        assert_problem(other.get(f"/api/v1/verify/{verification_id}"), 404, "not_found")
        assert_problem(other.post(f"/api/v1/verify/{verification_id}/cancel"), 404, "not_found")
        assert_problem(other.get("/api/v1/verify", before=str(verification_id)), 404, "not_found")
    assert other.get("/api/v1/verify").json() == {"total": 0, "verifications": []}


def test_nobody_is_not_authenticated(shop: RunningSandbox) -> None:
    for path in ("/api/v1/countries", "/api/v1/services", "/api/v1/verify", f"/api/v1/verify/{uuid.uuid4()}"):
        assert_problem(Client().get(path), 401, "not_authenticated")


def test_a_key_that_may_only_read_buys_nothing(shop: RunningSandbox, customer: User) -> None:
    reader = Api(customer, "read")
    assert reader.get("/api/v1/verify").status_code == 200
    assert_problem(reader.post(CREATE, {"service_name": "test_pending"}), 403, "forbidden")
    assert_problem(reader.post(f"/api/v1/verify/{uuid.uuid4()}/cancel"), 403, "forbidden")


def test_purchases_are_throttled_for_each_user(shop: RunningSandbox, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from config.lib.api.throttling import PurchaseThrottle

    monkeypatch.setattr(PurchaseThrottle, "get_rate", lambda self: "1/min")
    assert api.post(CREATE, {"service_name": "nonesuch"}).status_code == 404
    assert_problem(api.post(CREATE, {"service_name": "nonesuch"}), 429, "throttled")


def test_the_list_is_paged_and_filtered(shop: RunningSandbox, api: Api) -> None:
    bought = [services.buy(user=api.user, service_name="test_pending").verification for _ in range(3)]
    services.cancel(user=api.user, verification_id=bought[0].pk)
    ids = [str(row.pk) for row in reversed(bought)]

    def listed(**query: Any) -> tuple[int, list[str]]:
        body = api.get("/api/v1/verify", **query).json()
        return body["total"], [row["id"] for row in body["verifications"]]

    assert listed() == (3, ids)
    assert listed(skip=1, limit=1) == (3, ids[1:2])
    assert listed(status="cancelled") == (1, ids[2:])
    assert listed(before=ids[1]) == (3, ids[2:])
    assert listed(after=ids[1]) == (3, ids[:1])
    assert listed(after=ids[2], limit=1) == (3, ids[1:2])


@pytest.mark.parametrize("path", ["/api/v1/verify", "/api/v1/services"])
def test_lists_cost_the_same_for_one_row_and_for_three(shop: RunningSandbox, api: Api, path: str) -> None:
    for _ in range(3):
        bought = services.buy(user=api.user, service_name="test_pending").verification
        services.cancel(user=api.user, verification_id=bought.pk)

    def queries(limit: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert api.get(path, limit=limit).json()["total"] >= 3
        return len(captured)

    api.get(path)  # notes the key's use
    assert queries(1) == queries(3) <= 5


def test_an_id_that_is_none_is_a_problem_too(shop: RunningSandbox, api: Api) -> None:
    assert_problem(api.get("/api/v1/verify/not-an-id"), 404, "not_found")


def test_money_comes_back_in_the_list_too(shop: RunningSandbox, customer: User) -> None:
    user = make_user()
    funded(user, 100)
    bought = services.buy(user=user, service_name="test_pending").verification
    services.cancel(user=user, verification_id=bought.pk)
    [row] = Api(user).get("/api/v1/verify").json()["verifications"]
    assert (row["status"], row["refund"]["amount"]) == (Status.CANCELLED, "0.50")
