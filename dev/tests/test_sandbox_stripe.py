"""The sandbox as Stripe, asked through the official SDK."""

import time
from typing import Any

import pytest
import stripe

from dev.sandbox.testing import RunningSandbox
from dev.tests.sandbox_clients import plain


def gateway(sandbox: RunningSandbox, *, key: str | None = None) -> stripe.StripeClient:
    return stripe.StripeClient(
        key or sandbox.config.stripe_secret_key,
        base_addresses={"api": sandbox.stripe_url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(),
    )


def wanted(cents: int = 2000, **other: Any) -> dict[str, Any]:
    item = {"currency": "usd", "unit_amount": cents, "product_data": {"name": "Top up"}}
    return {
        "mode": "payment",
        "line_items": [{"price_data": item, "quantity": 1}],
        "success_url": "https://shop.test/back?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.test/wallet",
        "client_reference_id": "PAY-1",
        "metadata": {"payment": "PAY-1"},
        **other,
    }


def opened(client: stripe.StripeClient, *, key: str = "", **other: Any) -> Any:
    return client.v1.checkout.sessions.create(wanted(**other), {"idempotency_key": key} if key else {})


def event_types(client: stripe.StripeClient) -> list[str]:
    return [event.type for event in client.v1.events.list().data]


def test_a_new_session_is_open_and_unpaid(sandbox):
    session = opened(gateway(sandbox))
    assert (
        session.id.startswith("cs_test_"),
        session.url,
        session.amount_total,
        session.currency,
        session.client_reference_id,
        session.metadata["payment"],
        session.status,
        session.payment_status,
        session.payment_intent,
    ) == (True, f"{sandbox.base_url}/checkout/{session.id}", 2000, "usd", "PAY-1", "PAY-1", "open", "unpaid", None)


def test_a_session_can_be_fetched(sandbox):
    client = gateway(sandbox)
    session = opened(client)
    assert client.v1.checkout.sessions.retrieve(session.id).to_dict() == session.to_dict()


def test_the_same_key_opens_one_session(sandbox):
    client = gateway(sandbox)
    assert opened(client, key="one").id == opened(client, key="one").id
    assert opened(client, key="two").id != opened(client, key="one").id


def test_the_same_key_with_other_parameters_is_refused(sandbox):
    client = gateway(sandbox)
    opened(client, key="one")
    with pytest.raises(stripe.IdempotencyError) as refusal:
        opened(client, key="one", cents=3000)
    assert refusal.value.http_status == 400


def test_a_wrong_secret_key_is_refused(sandbox):
    with pytest.raises(stripe.AuthenticationError) as refusal:
        opened(gateway(sandbox, key="sk_test_wrong"))
    assert refusal.value.http_status == 401


def test_what_is_missing_is_named(sandbox):
    asked = wanted()
    del asked["success_url"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        gateway(sandbox).v1.checkout.sessions.create(asked)
    assert (refusal.value.code, refusal.value.param) == ("parameter_missing", "success_url")


def test_an_unknown_session_is_not_found(sandbox):
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        gateway(sandbox).v1.checkout.sessions.retrieve("cs_test_none")
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


def test_a_session_lives_between_half_an_hour_and_a_day(sandbox):
    client = gateway(sandbox)
    for seconds in (60, 25 * 3600):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            opened(client, expires_at=int(time.time()) + seconds)
        assert refusal.value.param == "expires_at"


def test_paying_completes_the_session_and_charges_once(sandbox):
    client = gateway(sandbox)
    session = opened(client)
    sandbox.pay("PAY-1")
    sandbox.pay(session.id)
    paid = client.v1.checkout.sessions.retrieve(session.id)
    intent = client.v1.payment_intents.retrieve(paid.payment_intent)
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert (intent.status, intent.amount_received) == ("succeeded", 2000)
    assert event_types(client) == ["checkout.session.completed"]
    assert sandbox.ledger()["charges"] == [{"reference": "PAY-1", "amount": "20.00", "status": "paid"}]


def test_a_failed_payment_is_complete_without_being_paid(sandbox):
    client = gateway(sandbox)
    session = opened(client)
    sandbox.pay("PAY-1", "failed")
    failed = client.v1.checkout.sessions.retrieve(session.id)
    assert (failed.status, failed.payment_status) == ("complete", "unpaid")
    assert event_types(client) == ["checkout.session.async_payment_failed", "checkout.session.completed"]
    assert sandbox.ledger()["charges"] == [{"reference": "PAY-1", "amount": "20.00", "status": "failed"}]


def test_money_can_still_come_after_a_failure(sandbox):
    client = gateway(sandbox)
    opened(client)
    sandbox.pay("PAY-1", "failed")
    sandbox.pay("PAY-1", "paid")
    assert event_types(client)[0] == "checkout.session.async_payment_succeeded"


def test_a_dispute_follows_a_payment_and_can_be_closed(sandbox):
    client = gateway(sandbox)
    opened(client)
    sandbox.pay("PAY-1", "disputed")
    assert sandbox.ledger()["charges"] == [{"reference": "PAY-1", "amount": "20.00", "status": "disputed"}]
    sandbox.pay("PAY-1", "dispute_lost")
    assert event_types(client) == [
        "charge.dispute.closed",
        "charge.dispute.created",
        "checkout.session.completed",
    ]
    dispute = client.v1.events.list({"type": "charge.dispute.closed"}).data[0].data.object
    assert (dispute["status"], dispute["amount"]) == ("lost", 2000)


def test_the_gateway_can_report_another_amount_than_was_asked_for(sandbox):
    client = gateway(sandbox)
    session = opened(client)
    sandbox.pay("PAY-1", amount="19.00", currency="eur")
    paid = client.v1.checkout.sessions.retrieve(session.id)
    assert (paid.amount_total, paid.currency) == (1900, "eur")


def test_a_session_expires_by_the_sandbox_s_clock(sandbox):
    client = gateway(sandbox)
    session = opened(client, expires_at=int(time.time()) + 7200)
    sandbox.advance(7190)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    sandbox.advance(20)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert event_types(client) == ["checkout.session.expired"]


def test_a_session_can_be_expired_by_hand_once(sandbox):
    client = gateway(sandbox)
    session = opened(client)
    assert client.v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)


def test_refunds_add_up_to_the_charge_and_no_further(sandbox):
    client = gateway(sandbox)
    session = opened(client)
    sandbox.pay("PAY-1")
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    part = client.v1.refunds.create({"payment_intent": intent, "amount": 500})
    rest = client.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": intent})
    assert refusal.value.code == "charge_already_refunded"
    assert [made.id for made in client.v1.refunds.list({"payment_intent": intent}).data] == [rest.id, part.id]
    assert client.v1.refunds.retrieve(part.id).status == "succeeded"
    assert sandbox.ledger()["refunds"] == [
        {"reference": "PAY-1", "amount": "5.00", "status": "succeeded"},
        {"reference": "PAY-1", "amount": "15.00", "status": "succeeded"},
    ]


def test_lists_page_by_the_sdk(sandbox):
    client = gateway(sandbox)
    ids = [opened(client, client_reference_id=f"PAY-{place}").id for place in range(5)]
    listed = [session.id for session in client.v1.checkout.sessions.list({"limit": 2}).auto_paging_iter()]
    assert listed == ids[::-1]


def test_paths_that_the_sandbox_does_not_know_say_so(sandbox):
    headers = {"Authorization": f"Bearer {sandbox.config.stripe_secret_key}"}
    answer = plain(sandbox).get("/stripe/v1/customers", headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")
