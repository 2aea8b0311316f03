"""Misbehaviour on demand: what the caller sees, and whether the thing was done."""

import socket
import time

import pytest
import requests

from dev.tests.sandbox_clients import bought, buy, plain, sign_in
from dev.tests.test_sandbox_stripe import gateway, opened

BUY = r"^POST /textverified/api/pub/v2/verifications$"


def sold(sandbox) -> int:
    return len(sandbox.ledger()["numbers"])


@pytest.mark.parametrize(("fault", "done"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_line_answers_nothing(sandbox, fault, done):
    client = sign_in(sandbox)
    sandbox.fault(BUY, fault)
    with pytest.raises(requests.exceptions.ConnectionError):
        buy(client, key="one")
    assert sold(sandbox) == done


def test_a_drop_closes_the_socket_without_a_byte(sandbox):
    sandbox.fault("GET /stripe/", "drop_before")
    host, port = sandbox.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(b"GET /stripe/v1/events HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        assert line.recv(1000) == b""


@pytest.mark.parametrize(("fault", "done"), [("hang", 0), ("hang_after", 1)])
def test_a_hanging_request_is_left_by_the_caller(sandbox, fault, done):
    client = sign_in(sandbox)
    sandbox.fault(BUY, fault)
    client.timeout = 0.3
    with pytest.raises(requests.exceptions.ReadTimeout):
        buy(client, key="one")
    assert sold(sandbox) == done


def test_a_reset_lets_a_hanging_request_go(sandbox, in_threads):
    client = sign_in(sandbox)
    sandbox.fault("GET .*account", "hang")

    def reset_once_it_hangs() -> None:
        while "GET /textverified/api/pub/v2/account/me" not in sandbox.requests():
            pass
        sandbox.reset()

    answer, _ = in_threads([lambda: client.get("/account/me"), reset_once_it_hangs])
    assert isinstance(answer, requests.exceptions.ConnectionError)


def test_a_fault_of_one_service_leaves_the_others_well(sandbox):
    client = sign_in(sandbox)
    sandbox.fault(BUY, "error_500", times=9, body='"whatsapp"')
    assert [buy(client, service, key=service).status_code for service in ("whatsapp", "test_success")] == [500, 201]


def test_forgotten_faults_let_who_hangs_go_and_happen_no_more(sandbox, in_threads):
    client = sign_in(sandbox)
    sandbox.fault("GET .*account", "hang", times=9)

    def mend_once_it_hangs() -> None:
        while "GET /textverified/api/pub/v2/account/me" not in sandbox.requests():
            pass
        sandbox.mend()

    answer, _ = in_threads([lambda: client.get("/account/me"), mend_once_it_hangs])
    assert isinstance(answer, requests.exceptions.ConnectionError)
    assert client.get("/account/me").status_code == 200


@pytest.mark.parametrize("slowness", ["fault", "latency"])
def test_a_purchase_that_was_under_way_at_a_reset_is_forgotten_too(sandbox, in_threads, slowness):
    client = sign_in(sandbox)
    if slowness == "fault":
        sandbox.fault(BUY, "slow:30")
    else:
        sandbox.settings(latency_ms=30_000)

    def reset_once_it_waits() -> None:
        while "POST /textverified/api/pub/v2/verifications" not in sandbox.requests():
            pass
        sandbox.reset()

    answer, _ = in_threads([lambda: buy(client, key="one"), reset_once_it_waits])
    assert isinstance(answer, requests.exceptions.ConnectionError)
    assert sold(sandbox) == 0


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [
        ("error_500", 500, 0),
        ("error_500_after", 500, 1),
        ("html_502", 502, 0),
        ("throttle_429", 429, 0),
        ("unauthorized_401", 401, 0),
    ],
)
def test_a_wrong_answer_is_given_and_the_purchase_done_or_not(sandbox, fault, status, done):
    client = sign_in(sandbox)
    sandbox.fault(BUY, fault)
    assert (buy(client, key="one").status_code, sold(sandbox)) == (status, done)


def test_a_gateway_s_error_page_is_html(sandbox):
    client = sign_in(sandbox)
    sandbox.fault("account/me", "html_502")
    answer = client.get("/account/me")
    assert (answer.headers["Content-Type"], answer.text[:6]) == ("text/html; charset=utf-8", "<html>")


def test_a_throttled_answer_says_when_to_come_again(sandbox):
    client = sign_in(sandbox)
    sandbox.fault("account/me", "throttle_429")
    assert client.get("/account/me").headers["Retry-After"] == "1"


def test_a_slow_answer_comes_late_and_right(sandbox):
    client = sign_in(sandbox)
    sandbox.fault("account/me", "slow:0.3")
    started = time.monotonic()
    answer = client.get("/account/me")
    assert (answer.status_code, time.monotonic() - started >= 0.3) == (200, True)


def test_a_fault_happens_as_often_as_asked_and_then_no_more(sandbox):
    client = sign_in(sandbox)
    sandbox.fault("account/me", "error_500", times=2)
    assert [client.get("/account/me").status_code for _ in range(4)] == [500, 500, 200, 200]


def test_faults_of_one_path_wait_their_turn(sandbox):
    client = sign_in(sandbox)
    sandbox.fault("account/me", "error_500")
    sandbox.fault("account/me", "throttle_429")
    assert [client.get("/account/me").status_code for _ in range(3)] == [500, 429, 200]


def test_other_requests_are_left_alone(sandbox):
    client = sign_in(sandbox)
    number = bought(client)
    sandbox.fault(BUY, "error_500")
    assert client.get("/verifications").status_code == 200
    assert client.get(f"/verifications/{number['id']}").status_code == 200


def test_after_a_drop_the_same_key_finds_what_was_bought(sandbox):
    client = sign_in(sandbox)
    sandbox.fault(BUY, "drop_after")
    with pytest.raises(requests.exceptions.ConnectionError):
        buy(client, key="one")
    number_id = sandbox.ledger()["numbers"][0]["id"]
    assert buy(client, key="one").json()["href"].endswith(number_id)


def test_stripe_s_faults_have_stripe_s_form(sandbox):
    import stripe

    sandbox.fault("POST /stripe/v1/checkout/sessions", "throttle_429")
    with pytest.raises(stripe.RateLimitError):
        opened(gateway(sandbox))
    sandbox.fault("POST /stripe/v1/checkout/sessions", "error_500_after")
    with pytest.raises(stripe.APIError):
        opened(gateway(sandbox), key="one")
    assert opened(gateway(sandbox), key="one").client_reference_id == "PAY-1"


def test_the_checkout_page_can_fail_too(sandbox):
    session = opened(gateway(sandbox))
    sandbox.fault("GET /checkout/", "html_502")
    assert [plain(sandbox).get(f"/checkout/{session.id}").status_code for _ in range(2)] == [502, 200]


def test_the_control_api_never_fails(sandbox):
    sandbox.fault(".", "error_500", times=100)
    assert plain(sandbox).get("/__ctl/health").json() == {"ok": True}
    assert plain(sandbox).get("/mail?format=json").status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("forbidden_403", 403, "application/json"),
        ("html_4xx", 400, "text/html"),
        ("html_451", 451, "text/html"),
        ("empty_404", 404, "text/plain"),
    ],
)
def test_what_stands_between_refuses_without_the_vendor_s_code(sandbox, fault, status, kind):
    client = sign_in(sandbox)
    sandbox.fault(BUY, fault)
    answer = buy(client, key="one")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (status, kind)
    assert "errorCode" not in answer.text
    assert sold(sandbox) == 0


def test_a_truncated_answer_is_half_of_it_and_the_thing_is_done(sandbox):
    client = sign_in(sandbox)
    sandbox.fault(BUY, "truncated")
    answer = buy(client, key="one")
    assert not answer.text.endswith("}")
    assert (answer.status_code, "Location" in answer.headers, sold(sandbox)) == (201, False, 1)


def test_a_truncated_list_is_its_first_row(sandbox):
    client = sign_in(sandbox)
    query = {"numberType": "mobile", "reservationType": "verification"}
    whole = client.get("/services", params=query).json()
    sandbox.fault("GET .*/services", "truncated")
    assert client.get("/services", params=query).json() == whole[:1]


def test_a_proxy_s_status_is_a_4xx(sandbox):
    with pytest.raises(Exception, match="400"):
        sandbox.fault(BUY, "html_302")
