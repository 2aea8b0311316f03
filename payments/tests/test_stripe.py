"""The adapter alone: Stripe's words in ours, and its answers that are none."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
import requests
import stripe as sdk
from django.utils import timezone

from config.lib.remote.errors import NotFound, OutcomeUnknown, Rejected, Throttled, Unavailable
from config.lib.remote.retry_after import retry_after
from payments.gateways import by_name
from payments.gateways.base import CheckoutRequest, GatewayState
from payments.gateways.stripe import Stripe, _state

CREATE, FETCH = "^POST /stripe/v1/checkout/sessions$", "^GET /stripe/v1/checkout/sessions/"
stripe = Stripe()


def request(**fields):
    now = timezone.now()
    return CheckoutRequest(
        **{
            "reference": "pay_1",
            "amount": 20_00,
            "currency": "USD",
            "description": "Top-up",
            "success_url": "http://shop.test/done",
            "cancel_url": "http://shop.test/back",
            "created_at": now,
            "expires_at": now + timedelta(hours=2),
            **fields,
        }
    )


def test_gateways_are_known_by_name(settings):
    settings.GATEWAY = "stripe"
    assert (by_name(settings.GATEWAY).name, by_name("stripe").title) == ("stripe", "Stripe")
    with pytest.raises(KeyError):
        by_name("barter")


def test_the_same_reference_opens_the_same_checkout(sandbox):
    asked = request()
    assert stripe.create(asked) == stripe.create(asked)


def test_a_reference_used_for_something_else_is_unclear_since_something_was_done(sandbox):
    asked = request()
    stripe.create(asked)
    with pytest.raises(OutcomeUnknown):
        stripe.create(request(created_at=asked.created_at, amount=30_00))


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [(timedelta(seconds=5), 31 * 60), (timedelta(hours=2), 7200), (timedelta(days=3), 24 * 3600 - 60)],
    ids=["short", "ours", "long"],
)
def test_the_checkouts_end_keeps_within_what_stripe_allows(sandbox, lifetime, seconds):
    now = timezone.now().replace(microsecond=0)
    session = stripe.create(request(created_at=now, expires_at=now + lifetime))
    assert session.expires_at == now + timedelta(seconds=seconds)


def test_how_a_checkout_stands(sandbox):
    session = stripe.create(request())
    expected = {"amount": 20_00, "currency": "USD", "gateway_id": session.id}
    assert stripe.fetch(session.id) == GatewayState(status="open", **expected)
    sandbox.pay("pay_1")
    assert stripe.fetch(session.id) == GatewayState(status="paid", **expected)


def test_closing_answers_how_it_stands_then_and_a_closed_one_can_not_be_closed(sandbox):
    session = stripe.create(request())
    assert stripe.expire(session.id).status == "expired"
    with pytest.raises(Rejected):
        stripe.expire(session.id)


def test_an_unknown_checkout_is_not_found(sandbox):
    with pytest.raises(NotFound):
        stripe.fetch("cs_test_nothing")


@pytest.mark.parametrize(
    ("fault", "creating", "fetching"),
    [
        ("drop_before", OutcomeUnknown, Unavailable),
        ("drop_after", OutcomeUnknown, Unavailable),
        ("hang", OutcomeUnknown, Unavailable),
        ("hang_after", OutcomeUnknown, Unavailable),
        ("error_500", OutcomeUnknown, Unavailable),
        ("error_500_after", OutcomeUnknown, Unavailable),
        ("html_502", OutcomeUnknown, Unavailable),
        ("throttle_429", Throttled, Throttled),
        ("unauthorized_401", Unavailable, Unavailable),
    ],
)
def test_each_fault_in_our_words(sandbox, fault, creating, fetching):
    sandbox.fault(CREATE, fault)
    with pytest.raises(creating) as create:
        stripe.create(request())
    sandbox.fault(FETCH, fault)
    with pytest.raises(fetching) as fetch:
        stripe.fetch("cs_test_1")
    assert (type(create.value), type(fetch.value)) == (creating, fetching)


def test_nobody_listening_is_surely_not_done(settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(Unavailable):
        stripe.create(request())


def test_the_throttles_wait_is_passed_on(sandbox):
    sandbox.fault(CREATE, "throttle_429")
    with pytest.raises(Throttled) as refused:
        stripe.create(request())
    assert refused.value.retry_after == 1.0


@pytest.mark.parametrize(("header", "seconds"), [("Thu, 01 Jan", 5.0), ("7", 7.0), ("0", 1.0), ("99999", 300.0)])
def test_the_throttles_wait_is_kept_within_reason(header, seconds):
    assert retry_after(header) == seconds


def test_no_connection_within_the_limit_is_surely_not_done(sandbox, monkeypatch):
    def slow(*_, **__):
        raise requests.exceptions.ConnectTimeout

    monkeypatch.setattr(requests.Session, "request", slow)
    with pytest.raises(Unavailable):
        stripe.create(request())


def test_our_key_stays_out_of_what_is_logged(sandbox, settings, caplog):
    settings.STRIPE_SECRET_KEY = "sk_test_wrong_one"
    with pytest.raises(Unavailable) as refused:
        stripe.create(request())
    assert "sk_test" not in f"{refused.value} {refused.value!r} {caplog.text}"


def test_the_customers_address_stays_out_of_the_repr():
    assert "someone" not in repr(request(email="someone@example.test"))


@pytest.mark.parametrize(
    ("status", "payment_status", "intent", "ours"),
    [
        ("open", "unpaid", None, ("open", "")),
        ("complete", "paid", "succeeded", ("paid", "")),
        ("expired", "unpaid", None, ("expired", "")),
        ("complete", "unpaid", None, ("processing", "")),
        ("complete", "unpaid", "processing", ("processing", "")),
        ("complete", "unpaid", "succeeded", ("processing", "")),
        ("complete", "unpaid", "canceled", ("failed", "Declined.")),
        ("complete", "unpaid", "requires_payment_method", ("failed", "Declined.")),
    ],
)
def test_stripes_statuses_in_ours(status, payment_status, intent, ours):
    error = SimpleNamespace(message="Declined.") if ours[0] == "failed" else None
    session = SimpleNamespace(
        id="cs_1",
        status=status,
        payment_status=payment_status,
        payment_intent=intent and SimpleNamespace(status=intent, last_payment_error=error),
        amount_total=20_00,
        currency="usd",
    )
    state = _state(session)
    assert (state.status, state.failure_reason) == ours


def test_an_answer_that_is_no_checkout_is_unclear(sandbox, monkeypatch):
    monkeypatch.setattr(sdk.checkout.SessionService, "create", lambda *_, **__: SimpleNamespace(id="cs_1"))
    with pytest.raises(OutcomeUnknown):
        stripe.create(request())
