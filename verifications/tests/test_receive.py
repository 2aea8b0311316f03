"""Messages: pushed or pulled, once; what completes a verification and what doesn't."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dev.sandbox.testing import RunningSandbox
from verifications import providers, selectors, services
from verifications.models import Message, Settlement, Status, Verification
from verifications.providers.base import Text
from verifications.services import poll, receive
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


def text(content: str, moment: datetime, vendor_id: str = "") -> Text:
    return Text(sender="22000", text=content, code="", received_at=moment, vendor_id=vendor_id)


def recorded(row: Verification, *texts: Text) -> int:
    """How many messages a number has after these came one by one."""
    for one in texts:
        receive._receive(row, one, now=timezone.now())
    return row.messages.count()


@pytest.mark.parametrize("cut", [{"microsecond": 0}, {"microsecond": 123000}, {"second": 0, "microsecond": 0}])
@pytest.mark.parametrize("pushed_first", [True, False])
def test_push_and_pull_are_one_whatever_the_precision_of_their_times(
    waiting: Verification, cut: dict[str, int], pushed_first: bool
) -> None:
    moment = timezone.now().replace(second=42, microsecond=123456)
    Verification.objects.update(sold_at=moment - timedelta(seconds=30))
    pulled, pushed = text("Welcome!", moment, "sms_1"), text("Welcome!", moment.replace(**cut))
    both = (pushed, pulled) if pushed_first else (pulled, pushed)
    assert recorded(waiting, *both, *both) == 1
    assert waiting.messages.get().vendor_id == "sms_1"


def test_a_time_rounded_up_is_the_same_message(waiting: Verification) -> None:
    moment = timezone.now().replace(microsecond=700_000)
    rounded = moment.replace(microsecond=0) + timedelta(seconds=1)
    assert recorded(waiting, text("Welcome!", moment), text("Welcome!", rounded)) == 1


def test_two_equal_texts_with_ids_of_their_own_are_two(waiting: Verification) -> None:
    moment = timezone.now()
    assert recorded(waiting, text("Welcome!", moment, "sms_1"), text("Welcome!", moment, "sms_2")) == 2


def test_a_message_is_known_by_its_id_whatever_else_changed(waiting: Verification) -> None:
    moment = timezone.now()
    assert recorded(waiting, text("Welcome!", moment, "sms_1"), text("Welcome", moment, "sms_1")) == 1


def test_an_equal_text_that_comes_later_is_another(waiting: Verification) -> None:
    moment = timezone.now()
    assert recorded(waiting, text("Welcome!", moment), text("Welcome!", moment + timedelta(seconds=90))) == 2


def test_a_message_written_down_before_ids_were_kept_is_known(waiting: Verification) -> None:
    moment = timezone.now()
    known = text("Welcome!", moment, "sms_1")
    digest = receive._hash("22000", moment.astimezone(UTC).isoformat(), "Welcome!")
    Message.objects.create(verification=waiting, digest=digest, text="Welcome!", code="", received_at=moment)
    assert recorded(waiting, known) == 1


def test_a_text_cut_to_the_minute_of_the_sale_is_not_older_than_it(waiting: Verification) -> None:
    sold_at = timezone.now().replace(second=30)
    Verification.objects.update(sold_at=sold_at)
    assert recorded(waiting, text("Welcome!", sold_at.replace(second=0, microsecond=0))) == 1
    assert recorded(waiting, text("Another", sold_at.replace(second=29))) == 1


# --- what the provider's lists have that we don't know


def test_a_code_completes_a_number_whose_state_we_do_not_know(shop: RunningSandbox, waiting: Verification) -> None:
    shop.settings(state_words={"verificationCompleted": "verificationParked"})
    shop.sms(waiting.phone_number, "111111 is your code")
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert (waiting.status, selectors.code_of(waiting)) == (Status.COMPLETED, "111111")


def test_a_code_completes_at_the_end_too_whatever_the_state(shop: RunningSandbox, waiting: Verification) -> None:
    """It ended timed out, though its code was there."""
    shop.settings(state_words={"verificationCompleted": "verificationParked"})
    shop.sms(waiting.phone_number, "111111 is your code")
    services.expire_due(now=waiting.expires_at + timedelta(seconds=11))
    waiting.refresh_from_db()
    assert waiting.status == Status.COMPLETED


def test_the_text_of_a_number_in_an_unknown_state_is_kept(shop: RunningSandbox, waiting: Verification) -> None:
    shop.settings(state_words={"verificationCompleted": "verificationParked"})
    shop.sms(waiting.phone_number, "tap the link to go on")
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert (waiting.status, [str(message.text) for message in waiting.messages.all()]) == (
        Status.WAITING,
        ["tap the link to go on"],
    )


def test_an_unknown_state_ends_nothing(shop: RunningSandbox, waiting: Verification) -> None:
    shop.settings(state_words={"verificationPending": "verificationParked"})
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.WAITING, [("sms_purchase", -50)])


def test_states_are_read_in_any_case(shop: RunningSandbox, waiting: Verification) -> None:
    shop.settings(state_words={"verificationTimedOut": "VerificationTimedOut"})
    shop.advance(901)
    services.poll_due(now=soon())
    waiting.refresh_from_db()
    assert waiting.status == Status.TIMED_OUT


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
        providers.operation_breaker("fetch").failure()
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
    assert (waiting.status, waiting.settlement) == (Status.TIMED_OUT, Settlement.RETURNED)
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
