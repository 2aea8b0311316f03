"""Messages: pushed or pulled, once; what completes a verification and what doesn't."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.sandbox.testing import RunningSandbox
from verifications import providers, selectors, services
from verifications.models import Message, Status, Verification
from verifications.services import poll
from verifications.tests.books import assert_balanced, rows

pytestmark = pytest.mark.django_db


def soon(seconds: float = 3) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def push(client: Client, webhook: dict[str, Any], **headers: str) -> Any:
    """Post what the sandbox would have sent."""
    return client.post(
        "/webhooks/textverified",
        data=webhook["body"],
        content_type="application/json",
        headers={**webhook["headers"], **headers},
    )


def test_a_webhook_completes_with_code_and_text(shop: RunningSandbox, waiting: Verification, client: Client) -> None:
    shop.sms(waiting.phone_number, "G-445566 is your code")
    [webhook] = shop.webhooks()

    assert push(client, webhook).status_code == 200

    waiting.refresh_from_db()
    [message] = waiting.messages.all()
    assert (waiting.status, message.text, message.code) == (Status.COMPLETED, "G-445566 is your code", "445566")
    assert_balanced(shop, user=waiting.user)


def test_texts_and_codes_are_not_readable_in_the_database(shop: RunningSandbox, waiting: Verification) -> None:
    shop.sms(waiting.phone_number, "445566 is your code")
    services.poll_due(now=soon())
    with connection.cursor() as cursor:
        cursor.execute("SELECT text, code FROM verifications_message")
        [(text, code)] = cursor.fetchall()
    assert b"445566" not in bytes(text) + bytes(code)
    assert "445566" not in repr(Message.objects.get())


def test_push_and_pull_of_a_message_are_one(shop: RunningSandbox, waiting: Verification, client: Client) -> None:
    shop.sms(waiting.phone_number, "445566 is your code", duplicate=True)
    services.poll_due(now=soon())
    for webhook in shop.webhooks():
        assert push(client, webhook).status_code == 200
    assert waiting.messages.count() == 1


def test_a_push_before_the_pull_is_one_too(shop: RunningSandbox, waiting: Verification, client: Client) -> None:
    shop.sms(waiting.phone_number, "no code in this one")
    push(client, shop.webhooks()[0])
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert (waiting.status, waiting.messages.count()) == (Status.COMPLETED, 1)


def test_a_text_without_a_code_completes_when_the_provider_says_so(
    shop: RunningSandbox, waiting: Verification, client: Client
) -> None:
    shop.sms(waiting.phone_number, "tap the link to go on")
    push(client, shop.webhooks()[0])
    waiting.refresh_from_db()
    assert (waiting.status, waiting.messages.count()) == (Status.WAITING, 1)

    services.poll_due(now=timezone.now())  # at once: the webhook brought the next look forward
    waiting.refresh_from_db()
    assert (waiting.status, [m.code for m in waiting.messages.all()]) == (Status.COMPLETED, [""])


def test_further_messages_are_kept_and_the_newest_code_is_the_one_to_use(
    shop: RunningSandbox, waiting: Verification, client: Client
) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    shop.sms(waiting.phone_number, "222222 is your new code")
    for webhook in shop.webhooks():
        push(client, webhook)
    assert [message.code for message in waiting.messages.all()] == ["111111", "222222"]
    assert (selectors.code_of(waiting), selectors.text_of(waiting)) == ("222222", "222222 is your new code")


def test_a_message_older_than_the_sale_is_dropped(shop: RunningSandbox, waiting: Verification, client: Client) -> None:
    shop.sms(waiting.phone_number, "999999 was for somebody else", sent_at="2020-01-01T00:00:00Z")
    push(client, shop.webhooks()[0])
    assert (waiting.messages.count(), Verification.objects.get().status) == (0, Status.WAITING)


def test_a_message_for_a_refunded_number_is_not_given_away(
    shop: RunningSandbox, waiting: Verification, client: Client
) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    [webhook] = shop.webhooks()
    Verification.objects.update(status=Status.CANCELLED, ended_at=timezone.now())
    assert push(client, webhook).status_code == 200
    assert waiting.messages.count() == 0


def test_a_webhook_for_an_unknown_number_is_accepted_and_left(
    shop: RunningSandbox, waiting: Verification, client: Client
) -> None:
    """Before the sale is written down the number is unknown; polling brings the message."""
    shop.sms(waiting.phone_number, "111111 is your code")
    Verification.objects.filter(pk=waiting.pk).update(provider_id="lr_not_yet")
    assert push(client, shop.webhooks()[0]).status_code == 200
    Verification.objects.filter(pk=waiting.pk).update(provider_id=waiting.provider_id)
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert waiting.status == Status.COMPLETED


def test_an_unsigned_webhook_changes_nothing(shop: RunningSandbox, waiting: Verification, client: Client) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    [webhook] = shop.webhooks()
    response = push(client, webhook, **{"X-Webhook-Signature": "HMAC-SHA512=AAAA"})
    assert (response.status_code, response["Content-Type"]) == (401, "application/problem+json")
    assert response.json() == {
        "type": "http://localhost:8000/help#bad_signature",
        "title": "The webhook's signature is wrong",
        "status": 401,
        "detail": "This webhook is not signed by the provider. Check the shared secret.",
        "code": "bad_signature",
        "errors": {},
    }
    assert waiting.messages.count() == 0


def test_a_changed_body_is_unsigned(shop: RunningSandbox, waiting: Verification, client: Client) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    [webhook] = shop.webhooks()
    changed = {**webhook, "body": json.dumps({**json.loads(webhook["body"]), "id": "evt_other"})}
    assert push(client, changed).status_code == 401


# --- polling


def test_only_what_is_due_is_asked_about(shop: RunningSandbox, waiting: Verification) -> None:
    assert services.poll_due(now=waiting.created_at) == 0
    assert services.poll_due(now=soon()) == 1
    assert services.poll_due(now=soon()) == 0


def test_a_turn_that_is_nearer_than_the_next_run_is_taken_early_and_shortens_nothing(
    shop: RunningSandbox, waiting: Verification
) -> None:
    turn = waiting.next_poll_at
    assert services.poll_due(now=turn - timedelta(seconds=0.6)) == 0
    assert services.poll_due(now=turn - timedelta(seconds=0.4)) == 1
    waiting.refresh_from_db()
    assert waiting.next_poll_at - turn == timedelta(seconds=3)


def test_polling_is_fast_at_first_and_then_slows_to_fifteen_seconds(
    shop: RunningSandbox, waiting: Verification
) -> None:
    def wait_after(age: float) -> float:
        now = waiting.created_at + timedelta(seconds=age)
        services.poll_due(now=now)
        waiting.refresh_from_db()
        return (waiting.next_poll_at - now).total_seconds()

    assert wait_after(10) == pytest.approx(3)
    assert wait_after(59) == pytest.approx(3)
    assert 6 * 0.8 <= wait_after(120) <= 6 * 1.2
    assert 15 * 0.8 <= wait_after(600) <= 15 * 1.2
    assert waiting.polls == 4


def test_the_last_poll_is_no_later_than_the_end(shop: RunningSandbox, waiting: Verification, settings: Any) -> None:
    end = waiting.expires_at + timedelta(seconds=settings.EXPIRY_GRACE_SECONDS)
    services.poll_due(now=end - timedelta(seconds=2))
    waiting.refresh_from_db()
    assert waiting.next_poll_at == end


def test_a_429_slows_all_polling_together(shop: RunningSandbox, waiting: Verification) -> None:
    shop.fault(r"GET .*/verifications/", "throttle_429")
    now = soon()
    services.poll_due(now=now)
    asked = len(shop.requests())
    assert services.poll_due(now=now + timedelta(seconds=0.9)) == 0
    poll._paused_until.clear()  # another process knows it too
    Verification.objects.update(next_poll_at=now)
    assert services.poll_due(now=now + timedelta(seconds=0.9)) == 0
    assert len(shop.requests()) == asked
    assert services.poll_due(now=now + timedelta(seconds=3)) == 1


def test_an_open_poll_breaker_pauses_polling(shop: RunningSandbox, waiting: Verification, settings: Any) -> None:
    for _ in range(settings.BREAKER_FAILURES):
        providers.poll_breaker().failure()
    asked = len(shop.requests())
    assert (services.poll_due(now=soon()), len(shop.requests())) == (0, asked)


def test_an_open_purchase_breaker_does_not_stop_polling(
    shop: RunningSandbox, waiting: Verification, settings: Any
) -> None:
    for _ in range(settings.BREAKER_FAILURES):
        providers.purchase_breaker().failure()
    shop.sms(waiting.phone_number, "111111 is your code")
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert waiting.status == Status.COMPLETED


def test_a_poll_without_news_writes_one_statement(shop: RunningSandbox, waiting: Verification) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        services.poll_due(now=soon())
    assert len(queries) == 1


@pytest.mark.parametrize("fault", ["drop_before", "error_500", "html_502", "unauthorized_401", "hang"])
def test_a_fault_while_polling_changes_nothing_and_the_next_poll_finds_the_code(
    shop: RunningSandbox, waiting: Verification, fault: str
) -> None:
    shop.sms(waiting.phone_number, "111111 is your code")
    shop.fault(r"GET .*/(verifications|sms)", fault, times=2)
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert waiting.status == Status.WAITING
    services.poll_due(now=soon(10))
    services.poll_due(now=soon(20))
    waiting.refresh_from_db()
    assert waiting.status == Status.COMPLETED
    assert_balanced(shop, user=waiting.user)


def test_an_end_that_polling_finds_is_ours_too(shop: RunningSandbox, waiting: Verification) -> None:
    shop.advance(901)
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert (waiting.status, waiting.cancelled_at_provider) == (Status.TIMED_OUT, True)
    assert rows(waiting.user) == [("sms_purchase", -50), ("verification_refund", 50)]
    assert [number["state"] for number in shop.ledger()["numbers"]] == ["verificationReported"]
    assert_balanced(shop, user=waiting.user)


def test_a_number_that_the_provider_took_back_is_failed_and_refunded(
    shop: RunningSandbox, waiting: Verification
) -> None:
    providers.by_name("textverified").cancel(waiting.provider_id)
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert (waiting.status, waiting.charged) == (Status.FAILED, True)
    assert rows(waiting.user) == [("sms_purchase", -50), ("verification_refund", 50)]
