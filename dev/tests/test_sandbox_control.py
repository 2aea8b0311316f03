"""The control API: what outside programs lean on."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from dev.sandbox.testing import ControlError
from dev.tests.sandbox_clients import bought, buy, plain, sign_in
from dev.tests.test_sandbox_stripe import gateway, opened


def texts(client, number) -> list[tuple[str, str]]:
    found = client.get("/sms", params={"reservationId": number["id"]}).json()["data"]
    return [(message["id"], message["smsContent"]) for message in found]


def test_the_ledger_of_a_fresh_sandbox_is_empty(sandbox):
    assert sandbox.ledger() == {"numbers": [], "charges": [], "refunds": [], "mail": 0, "pushes": []}


def test_the_ledger_has_every_number_sold(sandbox):
    number = bought(sign_in(sandbox), "test_success")
    assert sandbox.ledger()["numbers"] == [
        {
            "id": number["id"],
            "number": number["number"],
            "service": "test_success",
            "state": "verificationPending",
            "cost": "0.25",
            "key": None,
        }
    ]


def test_a_checkout_nobody_paid_is_no_charge(sandbox):
    opened(gateway(sandbox))
    assert sandbox.ledger()["charges"] == []


def test_a_message_completes_the_number(sandbox):
    client = sign_in(sandbox)
    number = bought(client)
    assert sandbox.sms(number["number"], "Use G-482913 to sign in") == {"ok": True, "id": number["id"]}
    message = client.get("/sms", params={"reservationId": number["id"]}).json()["data"][0]
    assert (message["smsContent"], message["parsedCode"]) == ("Use G-482913 to sign in", "482913")
    assert sandbox.ledger()["numbers"][0]["state"] == "verificationCompleted"


def test_a_number_may_be_written_with_its_country_code(sandbox):
    number = bought(sign_in(sandbox))
    assert sandbox.sms(f"+1{number['number']}", "Code 1234")["id"] == number["id"]


def test_a_delayed_message_waits_for_the_clock(sandbox):
    client = sign_in(sandbox)
    number = bought(client)
    sandbox.sms(number["number"], "Code 1234", delay=60)
    sandbox.advance(59)
    assert texts(client, number) == []
    sandbox.advance(1.5)
    assert [text for _, text in texts(client, number)] == ["Code 1234"]


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("clock", {"advance": 1e300}),
        ("clock", {"advance": -1}),
        ("sms", {"sent_at": 1e30}),
        ("sms", {"sent_at": True}),
        ("sms", {"delay": 1e30}),
    ],
)
def test_a_time_out_of_all_range_is_refused_and_moves_nothing(sandbox, call, body):
    client = sign_in(sandbox)
    number = bought(client)
    answer = plain(sandbox).post(f"/__ctl/{call}", json={"number": number["number"], "text": "Code 1234", **body})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    now = plain(sandbox).post("/__ctl/clock", json={"advance": 0}).json()["now"]
    assert abs(datetime.fromisoformat(now) - datetime.now(UTC)) < timedelta(hours=1)
    assert texts(client, number) == []


def test_the_clock_runs_by_itself(sandbox):
    number = bought(sign_in(sandbox))
    sandbox.sms(number["number"], "Code 1234", delay=0.2)
    deadline = time.monotonic() + 30
    while sandbox.ledger()["numbers"][0]["state"] == "verificationPending" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sandbox.ledger()["numbers"][0]["state"] == "verificationCompleted"


def test_a_message_can_claim_to_be_old(sandbox):
    client = sign_in(sandbox)
    number = bought(client)
    sandbox.sms(number["number"], "Code 1234", sent_at="2020-01-01T00:00:00+00:00")
    message = client.get("/sms", params={"reservationId": number["id"]}).json()["data"][0]
    assert message["createdAt"] == "2020-01-01T00:00:00+00:00"


def test_a_duplicate_message_comes_twice_under_one_id(sandbox):
    client = sign_in(sandbox)
    number = bought(client)
    sandbox.sms(number["number"], "Code 1234", duplicate=True)
    first, second = texts(client, number)
    assert first == second


def test_a_number_that_ended_takes_no_message(sandbox):
    client = sign_in(sandbox)
    number = bought(client)
    client.post(f"/verifications/{number['id']}/cancel")
    with pytest.raises(ControlError) as refusal:
        sandbox.sms(number["number"], "Code 1234")
    assert (refusal.value.status, refusal.value.body) == (
        404,
        {"error": f"No live reservation holds the number {number['number']}."},
    )


def test_the_clock_fires_what_falls_due_in_its_order(sandbox):
    client = sign_in(sandbox)
    number = bought(client, "test_timeout")
    sandbox.sms(number["number"], "Code 1234", delay=10)
    sandbox.advance(3600)
    details = client.get("/account/me")
    assert details.status_code == 401  # the token fell due as well
    assert sandbox.ledger()["numbers"][0]["state"] == "verificationCompleted"


def test_a_reset_forgets_everything(sandbox):
    client = sign_in(sandbox)
    bought(client, "test_success")
    opened(gateway(sandbox))
    sandbox.pay("PAY-1")
    sandbox.fault("account/me", "error_500", times=9)
    sandbox.settings(balance="1.00", cancel_lock_seconds=9)
    sandbox.advance(100)
    sandbox.reset()
    assert sandbox.requests() == []
    assert sandbox.webhooks() == []
    assert sandbox.ledger() == {"numbers": [], "charges": [], "refunds": [], "mail": 0, "pushes": []}
    assert client.get("/account/me").status_code == 401
    assert sign_in(sandbox).get("/account/me").json()["currentBalance"] == 10000.0
    assert sandbox.settings()["cancel_lock_seconds"] == 0
    sandbox.advance(100)
    assert sandbox.ledger()["numbers"] == []


def test_identifiers_are_not_given_out_again_after_a_reset(sandbox):
    first = bought(sign_in(sandbox))["id"]
    sandbox.reset()
    assert bought(sign_in(sandbox))["id"] != first


def test_the_requests_are_written_down(sandbox):
    client = sign_in(sandbox)
    sandbox.fault("account", "error_500")
    client.get("/account/me")
    buy(client, key="one")
    assert sandbox.requests() == [
        "POST /textverified/api/pub/v2/auth",
        "GET /textverified/api/pub/v2/account/me",
        "POST /textverified/api/pub/v2/verifications",
    ]
    assert sandbox.request_log()[1:] == [
        {
            "method": "GET",
            "path": "/textverified/api/pub/v2/account/me",
            "query": "",
            "body": "",
            "key": None,
            "fault": "error_500",
            "status": 500,
        },
        {
            "method": "POST",
            "path": "/textverified/api/pub/v2/verifications",
            "query": "",
            "body": '{"serviceName":"test_pending","capability":"sms"}',
            "key": "one",
            "fault": None,
            "status": 201,
        },
    ]


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("sms", {"number": 5}, "Give number and text, both as text."),
        ("sms", {"number": "1", "text": "x", "delay": -1}, "No live reservation holds the number 1."),
        ("faults", {"match": "(", "fault": "hang"}, "match is not a regular expression: missing ), unterminated"),
        ("faults", {"match": ".", "fault": "sulk"}, "There is no fault sulk. Choose one of: drop_before, "),
        ("faults", {"match": ".", "fault": "slow:soon"}, "slow needs seconds between 0 and 600, as in slow:2.5."),
        ("faults", {"match": ".", "fault": "hang", "times": 0}, "times has to be a whole number from 1 up."),
        ("clock", {}, "Give advance, a number of seconds."),
        ("clock", {"advance": -5}, "advance has to be a number of seconds, not negative, "),
        ("pay", {"reference": "PAY-9"}, "There is no checkout with the reference PAY-9."),
        ("settings", {"colour": "red"}, "There is no setting colour. Choose from: "),
        ("settings", {"webhook_enabled": 1}, "webhook_enabled has to be true or false."),
        ("keys", {"key": "one", "state": "odd"}, "Give key, and state: running, expired or unused."),
    ],
)
def test_wrong_input_is_answered_with_a_sentence(sandbox, path, body, sentence):
    answer = plain(sandbox).post(f"/__ctl/{path}", json=body)
    assert answer.status_code == (404 if sentence.startswith(("No live", "There is no checkout")) else 400)
    assert answer.json()["error"].startswith(sentence)


def test_a_wrong_outcome_is_answered_with_a_sentence(sandbox):
    opened(gateway(sandbox))
    with pytest.raises(ControlError) as refusal:
        sandbox.pay("PAY-1", "stolen")
    assert refusal.value.status == 400


def test_what_is_not_json_is_answered_with_a_sentence(sandbox):
    answers = [plain(sandbox).post("/__ctl/sms", data=body) for body in ("{", "[1]")]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [
        (400, "The body is not JSON."),
        (400, "The body has to be a JSON object."),
    ]
