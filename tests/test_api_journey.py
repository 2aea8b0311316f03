"""The whole journey with an API key alone, and every refusal of it in its form. Against the real sandbox over HTTP."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import PolicyAcceptance, User
from activity.models import Activity
from dev.sandbox.testing import RunningSandbox
from tests.people import customer
from verifications import providers, services
from verifications.models import Category, Service, Verification

pytestmark = pytest.mark.django_db(transaction=True)


def key_of(user: User, *scopes: str) -> str:
    out = StringIO()
    chosen = [argument for scope in scopes for argument in ("--scope", scope)]
    call_command("create_api_key", user.email, "--name", "journey", *chosen, stdout=out)
    return out.getvalue().strip()


def client_of(secret: str) -> APIClient:
    return APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")


@pytest.fixture
def shop(sandbox: RunningSandbox, settings: Any) -> RunningSandbox:
    settings.PROVIDER_TIMEOUT_SECONDS = 1
    settings.GATEWAY_TIMEOUT_SECONDS = 1
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{uuid4().hex}/.."  # the adapter begins anew
    services.sync_catalogue(now=timezone.now())
    return sandbox


@pytest.fixture
def person(shop: RunningSandbox) -> User:
    return customer(cents=5_00)


@pytest.fixture
def api(person: User) -> APIClient:
    return client_of(key_of(person))


def buy(api: APIClient, service: str = "test_success", **more: Any) -> Any:
    return api.post("/api/v1/verify/create", {"service_name": service, **more})


def assert_problem(answer: Any, status: int, code: str, **more: Any) -> dict[str, Any]:
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert body.keys() >= {"type", "title", "status", "detail", "code", "errors"}
    assert body["detail"].rstrip().endswith("."), "a sentence"
    for name, value in more.items():
        assert body[name] == value
    if "retry_after" in body:
        assert int(answer.headers["Retry-After"]) >= 1
    return body


def test_a_purchase_is_written_down_with_where_it_came_from(api: APIClient, person: User) -> None:
    sent = {"REMOTE_ADDR": "203.0.113.9", "HTTP_USER_AGENT": "shop/1.0"}
    api.post("/api/v1/verify/create", {"service_name": "test_pending"}, **sent)  # type: ignore[arg-type]
    row = Activity.objects.get(user=person, event="verification_initiated")
    assert (row.ip_address, row.user_agent) == ("203.0.113.9", "shop/1.0")


def test_a_key_tops_up_buys_reads_the_code_and_sees_every_cent(shop: RunningSandbox) -> None:
    api = client_of(key_of(customer()))

    payment = api.post("/api/payments/initialize", {"amount": "20.00"}).json()
    shop.pay(payment["reference"])
    assert api.post(f"/api/payments/{payment['reference']}/verify").json()["status"] == "completed"
    assert api.get("/api/wallet/balance").json() == {
        "balance": "20.00",
        "held": "0.00",
        "available": "20.00",
        "currency": "USD",
        "version": 1,
    }

    bought = buy(api, idempotency_key="first")
    assert (bought.status_code, bought.json()["status"], bought.json()["cost"]) == (201, "waiting", "0.50")
    again = buy(api, idempotency_key="first")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json()["id"] == bought.json()["id"]

    shop.advance(4)
    services.poll_due(now=timezone.now() + timedelta(seconds=4))
    done = api.get(f"/api/v1/verify/{bought.json()['id']}").json()
    assert (done["status"], done["code"], done["refund"]) == ("completed", "123456", None)

    second = buy(api, "test_pending").json()
    ended = api.post(f"/api/v1/verify/{second['id']}/cancel")
    assert (ended.status_code, ended.json()) == (
        200,
        {"status": "cancelled", "refund_amount": "0.50", "new_balance": "19.50"},
    )
    assert api.post(f"/api/v1/verify/{second['id']}/cancel").json() == ended.json()

    journal = api.get("/api/wallet/transactions").json()
    assert [(row["type"], row["amount"], row["balance_after"]) for row in journal["transactions"]] == [
        ("verification_refund", "0.50", "19.50"),
        ("sms_purchase", "-0.50", "19.00"),
        ("sms_purchase", "-0.50", "19.50"),
        ("credit", "20.00", "20.00"),
    ]
    inbox = api.get("/api/notifications?after=0").json()
    assert inbox["seq"] == inbox["unread"] == inbox["total"]
    assert (inbox["balance"], inbox["available"], inbox["open_verifications"]) == ("19.50", "19.50", [])
    told = {row["type"] for row in inbox["notifications"]}
    assert told >= {"payment_initiated", "payment_completed", "verification_initiated", "number_purchased"}
    assert told >= {"credit_deducted", "verification_complete", "verification_cancelled", "instant_refund"}
    assert api.get("/api/activities").json()["total"] >= inbox["total"]
    the_ledgers_agree(shop)


def the_ledgers_agree(shop: RunningSandbox) -> None:
    """The provider's sold numbers are ours, each once; the books are right; no refund is missing."""
    sold = {number["id"] for number in shop.ledger()["numbers"]}
    assert sold == set(Verification.objects.exclude(provider_id="").values_list("provider_id", flat=True))
    call_command("verify_wallets", stdout=StringIO())
    call_command("reconcile_refunds", "--dry-run", stdout=StringIO())
    call_command("reconcile_provider", "--dry-run", stdout=StringIO())


def test_no_key_and_a_wrong_key_are_401(shop: RunningSandbox) -> None:
    assert_problem(APIClient().get("/api/wallet/balance"), 401, "not_authenticated")
    assert_problem(client_of("rf_nonsense").get("/api/wallet/balance"), 401, "not_authenticated")


def test_a_key_without_the_scope_is_403(person: User) -> None:
    assert_problem(buy(client_of(key_of(person, "read"))), 403, "forbidden")


def test_bad_input_names_the_field(api: APIClient) -> None:
    assert "service_name" in assert_problem(api.post("/api/v1/verify/create", {}), 400, "validation_error")["errors"]
    assert (
        "amount"
        in assert_problem(api.post("/api/payments/initialize", {"amount": "1.001"}), 400, "validation_error")["errors"]
    )


def test_too_little_money_is_402_and_nothing_is_written(shop: RunningSandbox) -> None:
    user = customer(cents=20)
    assert_problem(buy(client_of(key_of(user))), 402, "insufficient_funds")
    assert Verification.objects.count() == 0
    assert shop.ledger()["numbers"] == []


def test_an_unaccepted_policy_is_403(shop: RunningSandbox, person: User, api: APIClient) -> None:
    PolicyAcceptance.objects.filter(user=person).delete()
    assert_problem(buy(api), 403, "policy_not_accepted")


def test_a_blocked_service_is_403(shop: RunningSandbox, api: APIClient) -> None:
    Category.objects.filter(pk=Service.objects.get(name="test_success").category_id).update(blocked=True)
    assert_problem(buy(api), 403, "service_blocked")


def test_frozen_purchases_are_403(shop: RunningSandbox, person: User, api: APIClient) -> None:
    User.objects.filter(pk=person.pk).update(purchases_frozen_at=timezone.now())
    assert_problem(buy(api), 403, "purchases_frozen")


def test_an_unknown_service_and_an_unknown_verification_are_404(api: APIClient) -> None:
    assert_problem(buy(api, "no_such_service"), 404, "unknown_service")
    assert_problem(api.get(f"/api/v1/verify/{uuid4()}"), 404, "not_found")
    assert_problem(api.get("/api/nothing/here"), 404, "not_found")


def test_anothers_verification_is_404(shop: RunningSandbox, api: APIClient) -> None:
    theirs = services.buy(user=customer(cents=1_00), service_name="test_pending").verification
    assert_problem(api.get(f"/api/v1/verify/{theirs.pk}"), 404, "not_found")
    assert_problem(api.post(f"/api/v1/verify/{theirs.pk}/cancel"), 404, "not_found")


def test_a_price_above_the_limit_and_an_empty_shelf_are_409(api: APIClient) -> None:
    assert_problem(buy(api, max_price="0.10"), 409, "price_moved")
    refused = assert_problem(buy(api, "test_no_numbers"), 409, "out_of_stock")
    failed = api.get(f"/api/v1/verify/{refused['verification_id']}").json()
    assert (failed["status"], api.get("/api/wallet/balance").json()["available"]) == ("failed", "5.00")


def test_a_cancel_that_comes_too_early_says_how_long_to_wait(shop: RunningSandbox, api: APIClient) -> None:
    shop.settings(cancel_lock_seconds=30)
    bought = buy(api, "test_pending").json()
    body = assert_problem(api.post(f"/api/v1/verify/{bought['id']}/cancel"), 409, "too_early")
    assert 0 < body["retry_after"] <= 31


def test_cancelling_what_has_its_code_is_409(shop: RunningSandbox, api: APIClient) -> None:
    bought = buy(api, "test_pending").json()
    shop.sms(bought["phone_number"], "Your code is 987654")
    services.poll_due(now=timezone.now() + timedelta(seconds=5))
    assert_problem(api.post(f"/api/v1/verify/{bought['id']}/cancel"), 409, "already_ended")


def test_a_key_used_for_another_request_is_422(api: APIClient) -> None:
    buy(api, "test_pending", idempotency_key="same")
    assert_problem(buy(api, "test_success", idempotency_key="same"), 422, "key_reused")


def test_a_key_whose_first_request_is_still_being_answered_is_409(
    shop: RunningSandbox, api: APIClient, person: User
) -> None:
    buy(api, "test_pending", idempotency_key="slow")
    Verification.objects.update(answered_at=None, created_at=timezone.now())
    assert_problem(buy(api, "test_pending", idempotency_key="slow"), 409, "in_progress")


def test_over_the_limit_is_429(settings: Any, api: APIClient) -> None:
    settings.MAX_PENDING = 1
    buy(api, "test_pending")
    assert_problem(buy(api, "test_pending"), 429, "over_limit")


def test_a_refusing_provider_and_gateway_are_503(shop: RunningSandbox, api: APIClient) -> None:
    assert_problem(buy(api, "test_insufficient_balance"), 503, "provider_unavailable")
    shop.fault("POST /stripe", "error_500", times=5)
    assert_problem(api.post("/api/payments/initialize", {"amount": "20.00"}), 503, "gateway_unavailable")


def test_an_open_breaker_refuses_before_any_hold(shop: RunningSandbox, api: APIClient, settings: Any) -> None:
    for _try in range(settings.BREAKER_FAILURES):
        providers.purchase_breaker().failure()
    body = assert_problem(buy(api), 503, "provider_unavailable")
    assert "verification_id" not in body
    assert Verification.objects.count() == 0


@pytest.mark.parametrize(
    "fault", ["drop_before", "drop_after", "hang_after", "error_500", "error_500_after", "html_502"]
)
def test_an_unknown_purchase_is_201_requested_and_ends_right_by_itself(
    shop: RunningSandbox, api: APIClient, fault: str
) -> None:
    shop.fault("POST /textverified/api/pub/v2/verifications$", fault)
    answer = buy(api, "test_pending", idempotency_key="once")
    assert answer.status_code == 201, answer.json()
    services.recover_due(now=timezone.now() + timedelta(seconds=5))
    settled = api.get(f"/api/v1/verify/{answer.json()['id']}").json()
    assert settled["status"] == "waiting"
    assert len(shop.ledger()["numbers"]) == 1
    assert api.get("/api/wallet/balance").json()["balance"] == "4.50"
    the_ledgers_agree(shop)
