"""Webhooks as the sandbox signs them, and as nobody should."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from config.lib.remote.errors import BadPayload, BadSignature
from verifications import providers
from verifications.providers.base import IncomingText, Spec, Text

SECRET = "whsec_of_this_test"
DATA = {
    "from": "22395",
    "to": "2025550100",
    "createdAt": "2026-11-21T10:00:00Z",
    "smsContent": "Your code is 123456",
    "parsedCode": "123456",
    "encrypted": False,
    "reservationId": "lr_1",
}
EVENT = {
    "attempt": 1,
    "occurredAt": "2026-11-21T10:00:01Z",
    "event": "v2.sms.received",
    "id": "evt_1",
    "idempotencyKey": "idem_1",
    "data": DATA,
}


@pytest.fixture(autouse=True)
def _secret(settings):
    settings.TEXTVERIFIED_WEBHOOK_SECRET = SECRET


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha512).digest()
    return {"X-Webhook-Signature": "HMAC-SHA512=" + base64.b64encode(digest).decode()}


def parse(content, headers=None):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return providers.current().parse_webhook(headers=signed(body) if headers is None else headers, body=body)


def without(name, mapping):
    return {key: value for key, value in mapping.items() if key != name}


def test_a_signed_message_is_read():
    assert parse(EVENT) == IncomingText(
        provider_id="lr_1",
        key="idem_1",
        message=Text(
            sender="22395",
            text="Your code is 123456",
            code="123456",
            received_at=datetime(2026, 11, 21, 10, tzinfo=UTC),
        ),
    )


def test_data_may_have_a_capital_letter():
    assert parse({**without("data", EVENT), "Data": DATA}) == parse(EVENT)


def pascal(mapping):
    return {name[0].upper() + name[1:]: value for name, value in mapping.items()}


@pytest.mark.parametrize(
    "event",
    [
        {**without("data", EVENT), "Data": json.dumps(DATA)},
        {**EVENT, "data": json.dumps(pascal(DATA))},
        pascal({**EVENT, "data": DATA}),
        pascal({**EVENT, "data": pascal(DATA)}),
        pascal({**EVENT, "data": json.dumps(pascal(DATA))}),
        {**EVENT, "event": "V2.Sms.Received"},
    ],
    ids=["text", "text in pascal", "names", "names in both", "all at once", "word"],
)
def test_the_vendor_s_other_spellings_are_read(event):
    assert parse(event) == parse(EVENT)


def test_the_id_of_a_message_is_kept_where_the_webhook_has_it():
    assert parse(EVENT).message.vendor_id == ""
    assert parse({**EVENT, "data": {**DATA, "id": "sms_1"}}).message.vendor_id == "sms_1"


def test_the_event_id_stands_in_for_a_key_that_is_not_there():
    assert parse(without("idempotencyKey", EVENT)).key == "evt_1"


def test_header_names_have_no_case():
    body = json.dumps(EVENT).encode()
    headers = {name.lower(): value for name, value in signed(body).items()}
    assert parse(body, headers) == parse(EVENT)


@pytest.mark.parametrize(
    "event", [{**EVENT, "event": "v2.rental.expired"}, {**EVENT, "data": without("reservationId", DATA)}]
)
def test_other_news_does_not_concern_us(event):
    assert parse(event) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Webhook-Signature": ""},
        {"X-Webhook-Signature": "HMAC-SHA512="},
        {"X-Webhook-Signature": "HMAC-SHA512=not base64!"},
        {"X-Webhook-Signature": "HMAC-SHA512=" + base64.b64encode(b"x" * 64).decode()},
        signed(json.dumps(EVENT).encode(), secret="another"),
        {"X-Webhook-Signature": signed(json.dumps(EVENT).encode())["X-Webhook-Signature"].removeprefix("HMAC-SHA512=")},
    ],
)
def test_what_the_provider_did_not_sign_is_refused(headers):
    with pytest.raises(BadSignature):
        parse(EVENT, headers)


def test_a_changed_body_is_refused():
    with pytest.raises(BadSignature):
        parse(json.dumps({**EVENT, "id": "evt_2"}).encode(), signed(json.dumps(EVENT).encode()))


def test_nothing_is_signed_with_an_empty_secret(settings):
    settings.TEXTVERIFIED_WEBHOOK_SECRET = ""
    body = json.dumps(EVENT).encode()
    with pytest.raises(BadSignature):
        parse(body, signed(body, secret=""))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        {},
        without("data", EVENT),
        {**EVENT, "data": None},
        {**EVENT, "data": "not json"},
        {**EVENT, "data": "[]"},
        {**EVENT, "data": "[" * 100_000},
        {**EVENT, "event": 7},
        {**EVENT, "data": {**DATA, "createdAt": "yesterday"}},
        {**EVENT, "data": {**DATA, "reservationId": "../x"}},
        {**EVENT, "data": {**DATA, "reservationId": 7}},
        {**EVENT, "idempotencyKey": ["a"]},
    ],
)
def test_signed_but_unreadable_is_a_bad_payload(content):
    with pytest.raises(BadPayload):
        parse(content)


def test_what_the_sandbox_sends_is_understood(sandbox, settings):
    settings.TEXTVERIFIED_WEBHOOK_SECRET = sandbox.config.textverified_webhook_secret
    number = providers.current().purchase(Spec("test_pending"), key="k1")
    sandbox.sms(number.phone_number, "Your code is 654321")
    sent = sandbox.webhooks()[0]
    incoming = parse(sent["body"].encode(), sent["headers"])
    assert (incoming.provider_id, incoming.message.code) == (number.provider_id, "654321")
    assert incoming.message == providers.current().fetch(number.provider_id).messages[0]
