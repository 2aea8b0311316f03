"""Texts as the provider may really send them: none of them may keep a number from ending."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dev.sandbox.testing import RunningSandbox
from verifications import services
from verifications.models import Settlement, Status, Verification
from verifications.providers.textverified import mapping
from verifications.services import receive
from verifications.tests.books import assert_balanced, rows
from verifications.tests.test_receive import push, soon

pytestmark = pytest.mark.django_db

HALF_AN_EMOJI = "\ud83d 445566 is your code"  # a text that somebody cut in the middle of a surrogate pair
SEEN = "\ufffd 445566 is your code"


def test_a_text_cut_in_the_middle_of_a_character_brings_its_code(shop: RunningSandbox, waiting: Verification) -> None:
    shop.sms(waiting.phone_number, HALF_AN_EMOJI)
    services.poll_due(now=soon())

    waiting.refresh_from_db()
    assert (waiting.status, waiting.messages.get().text, waiting.messages.get().code) == (
        Status.COMPLETED,
        SEEN,
        "445566",
    )


def test_such_a_text_can_be_pushed_too(shop: RunningSandbox, waiting: Verification, client: Client) -> None:
    shop.sms(waiting.phone_number, HALF_AN_EMOJI)

    assert push(client, shop.webhooks()[0]).status_code == 200
    waiting.refresh_from_db()
    assert (waiting.status, waiting.messages.get().text) == (Status.COMPLETED, SEEN)


def test_what_no_database_keeps_is_replaced_in_sender_and_text() -> None:
    row = {
        "from": "A\0B\udc00",
        "smsContent": "\0 1234 \ud83d",
        "parsedCode": "1\x00",
        "createdAt": "2026-11-21T10:00:00Z",
    }
    text = mapping.parse_text(row)
    assert (text.sender, text.text, text.code) == ("A\ufffdB\ufffd", "\ufffd 1234 \ufffd", "1\ufffd")


def test_a_whole_emoji_stays(shop: RunningSandbox, waiting: Verification) -> None:
    shop.sms(waiting.phone_number, "😀 445566")
    services.poll_due(now=soon())
    assert waiting.messages.get().text == "😀 445566"


def test_a_code_dated_in_the_second_of_the_sale_is_kept(shop: RunningSandbox, waiting: Verification) -> None:
    """Times that are cut to whole seconds seem older than a sale in the same second."""
    assert waiting.sold_at is not None
    Verification.objects.filter(pk=waiting.pk).update(sold_at=waiting.sold_at.replace(microsecond=900_000))
    cut = waiting.sold_at.replace(microsecond=0)
    shop.sms(waiting.phone_number, "445566 is your code", sent_at=cut.isoformat())
    services.poll_due(now=soon())

    waiting.refresh_from_db()
    assert (waiting.status, waiting.messages.count()) == (Status.COMPLETED, 1)


def test_one_dated_in_the_second_before_is_somebody_elses(shop: RunningSandbox, waiting: Verification) -> None:
    assert waiting.sold_at is not None
    before = waiting.sold_at.replace(microsecond=0) - timedelta(seconds=1)
    shop.sms(waiting.phone_number, "445566 is your code", sent_at=before.isoformat())
    services.poll_due(now=soon())
    assert waiting.messages.count() == 0


def test_a_message_that_can_not_be_written_down_does_not_keep_the_money(
    shop: RunningSandbox, waiting: Verification, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Whatever is wrong with it, its customer has waited long enough after a while."""

    def fail(*_: Any) -> None:
        raise ValueError("a bug")

    shop.sms(waiting.phone_number, "445566 is your code")
    monkeypatch.setattr(receive, "_record", fail)
    assert waiting.expires_at is not None
    services.expire_due(now=waiting.expires_at + timedelta(seconds=settings.EXPIRY_GRACE_SECONDS))
    waiting.refresh_from_db()
    assert waiting.status == Status.WAITING

    services.expire_due(now=waiting.expires_at + timedelta(seconds=settings.EXPIRY_GIVE_UP_SECONDS + 1))
    waiting.refresh_from_db()
    assert (waiting.status, waiting.settlement) == (Status.TIMED_OUT, Settlement.LOST)
    assert rows(waiting.user) == [("sms_purchase", -50), ("verification_refund", 50)]


def test_a_clock_of_the_provider_that_is_behind_ends_the_number_early_and_refunds(
    shop: RunningSandbox, waiting: Verification
) -> None:
    """Its end is past by our clock when it is bought: nothing is lost on either side."""
    Verification.objects.filter(pk=waiting.pk).update(expires_at=timezone.now() - timedelta(minutes=20))
    services.poll_due(now=soon())
    services.expire_due(now=soon())
    waiting.refresh_from_db()
    assert waiting.status == Status.TIMED_OUT
    assert_balanced(shop, user=waiting.user)
