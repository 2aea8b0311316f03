from datetime import timedelta

import pytest
from django.test import Client
from django.utils.dateparse import parse_datetime

from accounts.services import create_api_key
from accounts.tests.factories import make_user
from payments.models import Payment
from payments.tests.factories import make_payment
from wallet.selectors import balance_of

INITIALIZE = "/api/payments/initialize"
pytestmark = pytest.mark.django_db


def client_of(user, *scopes):
    _, secret = create_api_key(user=user, name="tests", scopes=scopes or ("read", "pay"))
    return Client(headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def api(customer):
    return client_of(customer)


def post(client, path, body=None, **headers):
    return client.post(path, body if body is not None else {}, content_type="application/json", headers=headers)


def moment(value):
    return value.isoformat().replace("+00:00", "Z")


def shape(payment, **changes):
    return {
        "reference": payment.reference,
        "gateway": "stripe",
        "amount": "20.00",
        "currency": "USD",
        "status": payment.status,
        "checkout_url": payment.checkout_url,
        "failure_reason": "",
        "created_at": moment(payment.created_at),
        "expires_at": moment(payment.expires_at),
        "completed_at": None,
        **changes,
    }


def test_initialize_answers_with_where_to_pay(api, sandbox):
    answer = post(api, INITIALIZE, {"amount": "20.00"})
    payment = Payment.objects.get()
    assert (answer.status_code, answer.json()) == (
        201,
        {"reference": payment.reference, "checkout_url": payment.checkout_url, "status": "initiated"},
    )
    assert (payment.amount, payment.gateway) == (20_00, "stripe")


def test_the_same_idempotency_key_is_a_replay(api, sandbox):
    first = post(api, INITIALIZE, {"amount": "20.00"}, **{"Idempotency-Key": "k1"})
    again = post(api, INITIALIZE, {"amount": "20.00"}, **{"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")


def test_the_key_may_come_in_the_body_and_in_both_when_it_is_the_same(api, sandbox):
    body = {"amount": "20.00", "idempotency_key": "k1"}
    first, again = post(api, INITIALIZE, body), post(api, INITIALIZE, {"amount": "20.00"}, **{"Idempotency-Key": "k1"})
    other = post(api, INITIALIZE, body, **{"Idempotency-Key": "k2"})
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert (other.status_code, list(other.json()["errors"])) == (400, ["idempotency_key"])


def test_another_currency_than_the_wallets_is_refused_and_not_taken_for_it(api, sandbox):
    answer = post(api, INITIALIZE, {"amount": "20.00", "currency": "EUR"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["currency"])
    assert post(api, INITIALIZE, {"amount": "20.00", "currency": "USD"}).status_code == 201


def test_the_same_key_with_another_amount_is_422(api, sandbox):
    post(api, INITIALIZE, {"amount": "20.00"}, **{"Idempotency-Key": "k1"})
    answer = post(api, INITIALIZE, {"amount": "30.00"}, **{"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")


WORDS = ["4.99", "500.01", "-20.00", "0", "20.001", "NaN", "Infinity", "1e9", "1e40", "twenty", "", " "]


@pytest.mark.parametrize("amount", [*WORDS, None, True, 20.0, [], {}])
def test_a_bad_amount_is_400_and_names_the_field(api, sandbox, amount):
    answer = post(api, INITIALIZE, {"amount": amount})
    problem = answer.json()
    assert (answer.status_code, problem["code"], list(problem["errors"])) == (400, "validation_error", ["amount"])
    assert (Payment.objects.count(), sandbox.requests()) == (0, [])


@pytest.mark.parametrize("body", ["{", "[]", '"x"', "null", "{}"])
def test_a_body_that_is_no_top_up_is_400(api, body):
    assert api.post(INITIALIZE, body, content_type="application/json").status_code == 400


def test_an_unknown_gateway_is_400_and_named(api):
    assert list(post(api, INITIALIZE, {"amount": "20.00", "gateway": "barter"}).json()["errors"]) == ["gateway"]


def test_a_silent_gateway_is_503_with_the_reference_and_when_to_try_again(api, sandbox, settings):
    sandbox.fault("POST", "error_500", times=2)
    answer = post(api, INITIALIZE, {"amount": "20.00"})
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()) == (
        503,
        "30",
        {
            "type": f"{settings.PUBLIC_URL}/help#gateway_unavailable",
            "title": "The payment gateway can't be reached right now",
            "status": 503,
            "detail": "The payment gateway isn't responding right now. Nothing was charged. "
            "Please try again in a minute.",
            "code": "gateway_unavailable",
            "errors": {},
            "reference": Payment.objects.get().reference,
            "retry_after": 30,
        },
    )


def test_too_many_top_ups_are_429_with_when_to_try_again(api, customer, settings):
    settings.MAX_TOP_UPS_PER_HOUR = 1
    make_payment(customer)
    answer = post(api, INITIALIZE, {"amount": "20.00"})
    assert (answer.status_code, answer.json()["code"], int(answer.headers["Retry-After"]) > 3500) == (
        429,
        "over_limit",
        True,
    )


def test_verify_asks_the_gateway_and_credits(api, begun, customer, sandbox):
    sandbox.pay(begun.reference)
    answer = post(api, f"/api/payments/{begun.reference}/verify")
    payment = Payment.objects.get()
    done = shape(payment, status="completed", checkout_url="", completed_at=moment(payment.completed_at))
    assert (answer.status_code, answer.json()) == (200, done)
    assert balance_of(user=customer).balance == 20_00


def test_verify_of_an_unpaid_payment_says_so(api, begun):
    assert post(api, f"/api/payments/{begun.reference}/verify").json() == shape(begun)


def test_one_payment(api, begun):
    answer = api.get(f"/api/payments/{begun.reference}")
    assert (answer.status_code, answer.json()) == (200, shape(begun))
    assert parse_datetime(answer.json()["created_at"]) == begun.created_at


def test_the_list_is_newest_first_in_pages(api, customer):
    make_payment()
    old, middle, new = (make_payment(customer, age=timedelta(minutes=age)) for age in (3, 2, 1))
    assert api.get("/api/payments").json() == {"total": 3, "payments": [shape(one) for one in (new, middle, old)]}
    assert api.get("/api/payments?skip=1&limit=1").json() == {"total": 3, "payments": [shape(middle)]}


@pytest.mark.parametrize("query", ["skip=-1", "limit=0", "limit=101", "limit=x"])
def test_a_bad_page_is_400(api, query):
    assert api.get(f"/api/payments?{query}").status_code == 400


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_costs_the_same_queries_whatever_its_length(api, customer, rows, django_assert_num_queries):
    for _ in range(rows):
        make_payment(customer)
    api.get("/api/payments")  # notes the key's use
    with django_assert_num_queries(3):  # key, count, rows
        api.get("/api/payments")


def test_one_payment_costs_two_queries(api, begun, django_assert_num_queries):
    api.get("/api/payments")
    with django_assert_num_queries(2):
        api.get(f"/api/payments/{begun.reference}")


@pytest.mark.parametrize("method", ["get", "verify"])
def test_another_users_payment_is_404(begun, sandbox, method):
    stranger = client_of(make_user())
    path = f"/api/payments/{begun.reference}"
    asked = len(sandbox.requests())
    answer = stranger.get(path) if method == "get" else post(stranger, f"{path}/verify")
    assert (answer.status_code, answer.json()["code"], len(sandbox.requests()) - asked) == (404, "not_found", 0)


@pytest.mark.parametrize("reference", ["pay_nothing", "x" * 300, "..", "%00"])
def test_an_unknown_payment_is_404(api, reference):
    assert api.get(f"/api/payments/{reference}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("post", INITIALIZE), ("get", "/api/payments"), ("get", "/api/payments/x"), ("post", "/api/payments/x/verify")],
)
def test_nobody_is_let_in_without_a_key(client, method, path):
    answer = getattr(client, method)(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_key_that_may_only_read_can_not_top_up(customer, begun):
    reader = client_of(customer, "read")
    refused = post(reader, INITIALIZE, {"amount": "20.00"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert post(reader, f"/api/payments/{begun.reference}/verify").status_code == 403
    assert reader.get("/api/payments").status_code == 200


def test_a_session_needs_its_csrf_token(customer, sandbox):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(customer)
    assert post(browser, INITIALIZE, {"amount": "20.00"}).status_code == 403
    assert Payment.objects.count() == 0
