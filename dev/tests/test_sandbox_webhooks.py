"""Webhooks out of the sandbox: signed as the vendors sign, retried, shaped as asked."""

import base64
import hashlib
import hmac

import pytest
import stripe

from dev.tests.sandbox_clients import bought, inbox, sign_in
from dev.tests.test_sandbox_stripe import gateway, opened


@pytest.fixture
def arrived(sandbox):
    with inbox() as taken:
        sandbox.settings(webhook_enabled=True, public_url=taken.url)
        yield taken
        sandbox.reset()


def test_a_code_is_announced_with_the_vendor_s_signature(sandbox, arrived):
    number = bought(sign_in(sandbox), "test_success")
    sandbox.advance(4)
    sandbox.webhooks(settle=5)
    [(path, headers, raw)] = arrived.posts
    digest = hmac.new(sandbox.config.textverified_webhook_secret.encode(), raw, hashlib.sha512).digest()
    [body] = arrived.bodies()
    assert path == "/webhooks/textverified"
    assert headers["X-Webhook-Signature"] == f"HMAC-SHA512={base64.b64encode(digest).decode()}"
    assert (body["event"], body["attempt"], body["data"]["reservationId"], body["data"]["parsedCode"]) == (
        "v2.sms.received",
        1,
        number["id"],
        "123456",
    )


def test_a_refused_webhook_comes_again_under_the_same_key_with_its_attempt_counted(sandbox, arrived):
    arrived.answers = [500, 302]
    bought(sign_in(sandbox), "test_success")
    sandbox.advance(4)
    [delivery] = sandbox.webhooks(settle=5)
    bodies = arrived.bodies()
    assert delivery["attempts"] == [500, 302, 200]
    assert [body["attempt"] for body in bodies] == [1, 2, 3]
    assert len({body["idempotencyKey"] for body in bodies}) == 1
    assert len({headers["X-Webhook-Signature"] for _, headers, _ in arrived.posts}) == 3


def test_a_duplicate_message_is_announced_twice_under_one_key(sandbox, arrived):
    number = bought(sign_in(sandbox))
    sandbox.sms(number["number"], "Code 1234", duplicate=True)
    sandbox.webhooks(settle=5)
    bodies = arrived.bodies()
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


def test_a_payment_is_announced_as_the_official_library_verifies_it(sandbox, arrived):
    session = opened(gateway(sandbox))
    sandbox.pay("PAY-1")
    sandbox.webhooks(settle=5)
    [(path, headers, raw)] = arrived.posts
    event = stripe.Webhook.construct_event(raw, headers["Stripe-Signature"], sandbox.config.stripe_webhook_secret)
    assert path == "/webhooks/stripe"
    assert (event.type, event.data.object.id, event.data.object.payment_status) == (
        "checkout.session.completed",
        session.id,
        "paid",
    )


def test_the_signature_s_time_is_real_even_when_the_sandbox_s_clock_was_moved(sandbox, arrived):
    opened(gateway(sandbox))
    sandbox.advance(7200)
    sandbox.pay("PAY-1")
    sandbox.webhooks(settle=5)
    [(_, headers, raw)] = arrived.posts
    stripe.Webhook.construct_event(raw, headers["Stripe-Signature"], sandbox.config.stripe_webhook_secret, tolerance=30)


def test_a_bad_signature_does_not_verify(sandbox, arrived):
    opened(gateway(sandbox))
    sandbox.pay("PAY-1", bad_signature=True)
    sandbox.webhooks(settle=5)
    [(_, headers, raw)] = arrived.posts
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(raw, headers["Stripe-Signature"], sandbox.config.stripe_webhook_secret)


def test_a_duplicate_event_comes_twice_under_one_id(sandbox, arrived):
    opened(gateway(sandbox))
    sandbox.pay("PAY-1", duplicate=True)
    sandbox.webhooks(settle=5)
    ids = [body["id"] for body in arrived.bodies()]
    assert (len(ids), len(set(ids))) == (2, 1)


def test_a_delayed_event_waits_for_the_clock_while_the_payment_stands(sandbox, arrived):
    client = gateway(sandbox)
    session = opened(client)
    sandbox.pay("PAY-1", delay=60)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert sandbox.webhooks() == []
    sandbox.advance(61)
    sandbox.webhooks(settle=5)
    assert [body["type"] for body in arrived.bodies()] == ["checkout.session.completed"]


def test_switched_off_webhooks_are_written_down_and_not_sent(sandbox, arrived):
    sandbox.settings(webhook_enabled=False)
    opened(gateway(sandbox))
    sandbox.pay("PAY-1")
    [delivery] = sandbox.webhooks(settle=5)
    event = stripe.Webhook.construct_event(
        delivery["body"], delivery["headers"]["Stripe-Signature"], sandbox.config.stripe_webhook_secret
    )
    assert (event.type, delivery["attempts"], arrived.posts) == ("checkout.session.completed", [], [])
