"""The vendor's terms and shapes, mapped to ours."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from config.lib.remote import errors as remote
from config.lib.remote.errors import NotFound, Rejected, Throttled
from verifications.providers.base import (
    InProgress,
    KeyExpired,
    OutOfStock,
    PriceMoved,
    ProviderFunds,
    TooEarly,
    is_outage,
    outcome_of,
)
from verifications.providers.textverified import mapping


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "Unavailable", OutOfStock),
        (400, "PricingFailure", PriceMoved),
        (400, "InsufficientBalance", ProviderFunds),
        (400, "TooManyUnfinishedVerifications", Throttled),
        (409, "IdempotencyConflict", InProgress),
        (409, "", InProgress),
        (400, "IdempotencyKeyExpired", KeyExpired),
        (400, "IdempotencyExpired", KeyExpired),
        (400, "TooEarlyToCancel", TooEarly),
        (400, "CancellationNotAllowed", Rejected),
        (400, "", Rejected),
        (404, "", NotFound),
    ],
)
def test_each_refusal_has_one_meaning(status, code, error):
    assert type(mapping.error_from(status, {"errorCode": code, "errorDescription": "No."})) is error


@pytest.mark.parametrize("body", [None, [], "Unavailable", {"errorCode": None}, {"errorCode": ["Unavailable"]}])
def test_a_refusal_without_a_code_is_still_a_refusal(body):
    assert type(mapping.error_from(400, body)) is Rejected


def test_a_refusal_says_the_code_and_not_the_description():
    assert str(mapping.error_from(400, {"errorCode": "Unavailable", "errorDescription": "2025550100 is gone"})) == (
        "400 Unavailable"
    )


def test_a_code_that_is_no_word_is_not_repeated():
    assert str(mapping.error_from(400, {"errorCode": "your code\n is 123456", "errorDescription": ""})) == "400"


@pytest.mark.parametrize(
    ("description", "seconds"),
    [
        ("This verification can be canceled in 12 seconds.", 12.0),
        ("Wait 0 seconds.", 1.0),
        ("Try again in 30s", 30.0),
        ("Not yet.", None),
    ],
)
def test_the_wait_is_read_from_the_sentence(description, seconds):
    assert mapping.seconds_in(description) == seconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T10:00:00+00:00", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T10:00:00Z", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T10:00:00", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T12:00:00.1234567+02:00", datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_times_are_aware_and_in_utc(text, moment):
    assert mapping.parse_time(text) == moment
    assert mapping.parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("body", "location", "found"),
    [
        ({"method": "GET", "href": "https://x.test/api/pub/v2/verifications/lr_1"}, "", "lr_1"),
        ({"href": "https://x.test/api/pub/v2/verifications/lr_1/?a=b"}, "", "lr_1"),
        (None, "/api/pub/v2/verifications/lr_2", "lr_2"),
        ({"href": None}, "https://x.test/verifications/lr_3", "lr_3"),
    ],
)
def test_the_id_of_a_sale_is_the_end_of_its_link(body, location, found):
    assert mapping.parse_link(body, location) == found


@pytest.mark.parametrize("body", [None, {}, {"href": ""}, {"href": "https://x.test/%2e%2e"}, {"href": 7}])
def test_a_sale_without_a_link_is_unreadable(body):
    with pytest.raises(mapping.Unreadable):
        mapping.parse_link(body, "")


@pytest.mark.parametrize("value", ["..", "a/b", "", "x" * 81, 7, None, "lr 1", "lr?1"])
def test_an_id_that_would_change_the_path_is_none(value):
    with pytest.raises(mapping.Unreadable):
        mapping.parse_id(value)


def details(**changes):
    return {
        "id": "lr_1",
        "number": "2025550100",
        "serviceName": "whatsapp",
        "state": "verificationPending",
        "totalCost": "1.10",
        "createdAt": "2026-11-21T10:00:00Z",
        "endsAt": "2026-11-21T10:10:00Z",
        "cancel": {"canCancel": True},
        "report": {"canReport": False},
        **changes,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None},
        {"totalCost": "NaN"},
        {"totalCost": "-1"},
        {"totalCost": None},
        {"number": None},
        {"endsAt": None},
        {"createdAt": "soon"},
        {"id": "../x"},
    ],
)
def test_details_that_are_not_as_documented_are_unreadable(changes):
    with pytest.raises(mapping.Unreadable):
        mapping.parse_number(details(**changes))


@pytest.mark.parametrize("offered", [None, {}, {"canCancel": None}, {"canCancel": "true"}, []])
def test_what_the_provider_does_not_offer_can_not_be_done(offered):
    number = mapping.parse_number(details(cancel=offered, report=offered))
    assert (number.can_cancel, number.can_report) == (False, False)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("0.0375", "0.0375"), ("0.30000000000000004", "0.3"), ("0.03755", "0.0376"), ("1", "1")],
)
def test_amounts_are_kept_to_four_places(theirs, ours):
    assert mapping.parse_amount(theirs) == Decimal(ours)


def test_a_state_that_nobody_knows_is_unknown():
    assert mapping.parse_number(details(state="somethingNew")).state == "unknown"


def test_words_are_compared_without_case():
    assert mapping.parse_number(details(state="VERIFICATIONCompleted")).state == "completed"
    assert type(mapping.error_from(400, {"errorCode": "outOfSTOCK"})) is Rejected
    assert type(mapping.error_from(400, {"errorCode": "UNAVAILABLE"})) is OutOfStock
    assert mapping.parse_service({"serviceName": "yahoo", "capability": "Sms"}).capability == "sms"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("verificationPending", "waiting"),
        ("verificationCompleted", "completed"),
        ("verificationCanceled", "cancelled"),
        ("verificationTimedOut", "timed_out"),
        ("verificationReported", "failed"),
        ("verificationRefunded", "failed"),
        ("verificationReused", "completed"),
        ("verificationReactivated", "completed"),
    ],
)
def test_states_become_ours(theirs, ours):
    assert mapping.parse_number(details(state=theirs)).state == ours


def test_what_is_secret_is_not_in_the_repr():
    message = mapping.parse_text(
        {
            "from": "22395",
            "smsContent": "Your code is 123456",
            "parsedCode": "123456",
            "createdAt": "2026-11-21T10:00:00Z",
        }
    )
    shown = repr(replace(mapping.parse_number(details()), messages=(message,)))
    assert not any(secret in shown for secret in ("2025550100", "123456", "22395"))
    assert "lr_1" in shown


def test_a_message_of_another_reservation_or_number_is_not_ours():
    ours = {"provider_id": "lr_1", "phone_number": "2025550100"}
    message = {"createdAt": "2026-11-21T10:00:00Z"}
    assert mapping.parse_text_for({**message, "to": "+1 202 555 0100"}, **ours)
    assert mapping.parse_text_for({**message, "reservationId": "lr_1", "to": None}, **ours)
    assert mapping.parse_text_for({**message, "reservationId": "lr_2", "to": "2025550100"}, **ours) is None
    assert mapping.parse_text_for({**message, "to": "2025550199"}, **ours) is None


def test_null_texts_and_codes_become_empty():
    text = mapping.parse_text(
        {"from": None, "smsContent": None, "parsedCode": None, "createdAt": "2026-11-21T10:00:00Z"}
    )
    assert (text.sender, text.text, text.code) == ("", "", "")


def test_only_silence_is_an_outage():
    from verifications.providers import base

    known = {**vars(remote), **vars(base)}.values()
    kinds = [kind for kind in known if isinstance(kind, type) and issubclass(kind, remote.RemoteError)]
    assert {kind.__name__ for kind in kinds if is_outage(kind())} == {"Unavailable", "OutcomeUnknown", "Unexplained"}


def test_metrics_name_outcomes_in_snake_case():
    assert outcome_of(OutOfStock()) == "out_of_stock"


def test_amounts_are_exact():
    assert mapping.parse_amount("0.95") == Decimal("0.95")
