"""The sandbox as TextVerified: selling numbers, delivering codes, giving money back."""

from dev.sandbox.testing import RunningSandbox
from dev.tests.sandbox_clients import Client, bought, buy, sign_in


def states(sandbox: RunningSandbox) -> list[str]:
    return [number["state"] for number in sandbox.ledger()["numbers"]]


def balance(client: Client) -> float:
    return client.get("/account/me").json()["currentBalance"]


def test_wrong_credentials_get_no_token(sandbox):
    client = Client(sandbox.textverified_url)
    credentials = {"X-API-KEY": "wrong", "X-API-USERNAME": sandbox.config.textverified_username}
    answer = client.post("/api/pub/v2/auth", headers=credentials)
    assert answer.status_code == 401


def test_without_a_token_nothing_is_answered(sandbox):
    client = sign_in(sandbox)
    client.headers["Authorization"] = "Bearer nonsense"
    assert [client.get(path).status_code for path in ("/account/me", "/services", "/verifications", "/sms")] == [
        401
    ] * 4


def test_a_token_ends_when_its_time_is_over(sandbox):
    sandbox.settings(token_seconds=60)
    client = sign_in(sandbox)
    assert client.get("/account/me").status_code == 200
    sandbox.advance(61)
    assert client.get("/account/me").status_code == 401


def test_the_catalogue_has_no_prices_and_names_the_test_services(sandbox):
    services = sign_in(sandbox).get("/services?numberType=mobile&reservationType=verification").json()
    names = {service["serviceName"] for service in services}
    assert {"whatsapp", "paypal", "chase", "idme", "test_success", "test_no_numbers"} <= names
    assert all(set(service) == {"serviceName", "capability", "description"} for service in services)


def test_the_quoted_price_is_what_is_charged(sandbox):
    client = sign_in(sandbox)
    question = {
        "serviceName": "whatsapp",
        "areaCode": False,
        "carrier": False,
        "numberType": "mobile",
        "capability": "sms",
    }
    assert client.post("/pricing/verifications", json=question).json() == {"serviceName": "whatsapp", "price": 1.1}
    assert bought(client, "whatsapp")["totalCost"] == 1.1
    assert balance(client) == 9998.9


def test_a_success_gets_its_code_after_three_seconds(sandbox):
    client = sign_in(sandbox)
    number = bought(client, "test_success")
    sandbox.advance(2.9)
    assert client.get(f"/verifications/{number['id']}").json()["state"] == "verificationPending"
    sandbox.advance(0.2)
    assert client.get(f"/verifications/{number['id']}").json()["state"] == "verificationCompleted"
    message = client.get("/sms", params={"reservationId": number["id"]}).json()["data"][0]
    assert (message["parsedCode"], message["to"]) == ("123456", number["number"])


def test_a_delayed_success_takes_half_a_minute(sandbox):
    bought(sign_in(sandbox), "test_delayed_success")
    sandbox.advance(29)
    assert states(sandbox) == ["verificationPending"]
    sandbox.advance(2)
    assert states(sandbox) == ["verificationCompleted"]


def test_a_timeout_ends_after_twenty_seconds_and_gives_the_money_back(sandbox):
    client = sign_in(sandbox)
    bought(client, "test_timeout")
    assert balance(client) == 9999.75
    sandbox.advance(21)
    assert states(sandbox) == ["verificationTimedOut"]
    assert balance(client) == 10000.0


def test_pending_stays_so_until_its_end(sandbox):
    bought(sign_in(sandbox), "test_pending")
    sandbox.advance(890)
    assert states(sandbox) == ["verificationPending"]


def test_refusing_services_sell_nothing(sandbox):
    client = sign_in(sandbox)
    answers = [buy(client, name) for name in ("test_no_numbers", "test_insufficient_balance")]
    assert [(answer.status_code, answer.json()["errorCode"]) for answer in answers] == [
        (400, "Unavailable"),
        (400, "InsufficientBalance"),
    ]
    assert sandbox.ledger()["numbers"] == []


def test_answers_about_test_services_say_so_and_others_do_not(sandbox):
    client = sign_in(sandbox)
    answers = [buy(client, name) for name in ("test_success", "test_no_numbers", "whatsapp")]
    assert [answer.headers.get("X-Phoneblur-Mock") for answer in answers] == ["true", "true", None]


def test_the_same_key_sells_one_number(sandbox):
    client = sign_in(sandbox)
    first, second = buy(client, key="one"), buy(client, key="one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.headers["Location"] == second.headers["Location"] == first.json()["href"]
    assert [number["key"] for number in sandbox.ledger()["numbers"]] == ["one"]


def test_without_a_key_every_request_sells(sandbox):
    client = sign_in(sandbox)
    assert buy(client).json() != buy(client).json()
    assert len(sandbox.ledger()["numbers"]) == 2


def test_a_key_whose_request_still_runs_is_a_conflict(sandbox, in_threads):
    client = sign_in(sandbox)
    sandbox.settings(latency_ms=400)
    answers = in_threads(lambda: buy(client, key="one"), times=4)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json()["errorCode"] for answer in answers if answer.status_code == 409} == {"IdempotencyConflict"}
    assert buy(client, key="one").status_code == 201
    assert len(sandbox.ledger()["numbers"]) == 1


def test_a_key_that_expired_needs_a_new_one(sandbox):
    client = sign_in(sandbox)
    sandbox.plant_key("old", "expired")
    answer = buy(client, key="old")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "IdempotencyKeyExpired")


def test_a_refused_purchase_leaves_its_key_unused(sandbox):
    client = sign_in(sandbox)
    sandbox.settings(balance="0.10")
    assert buy(client, key="one").json()["errorCode"] == "InsufficientBalance"
    sandbox.settings(balance="10.00")
    assert buy(client, key="one").status_code == 201


def test_keys_have_one_to_256_characters(sandbox):
    client = sign_in(sandbox)
    assert [buy(client, key=key).status_code for key in ("", "k" * 256, "k" * 257)] == [400, 201, 400]


def test_a_price_above_the_maximum_sells_nothing(sandbox):
    client = sign_in(sandbox)
    assert buy(client, "whatsapp", maxPrice=1.09).json()["errorCode"] == "PricingFailure"
    assert buy(client, "whatsapp", maxPrice=1.1).status_code == 201


def test_a_wanted_area_code_is_given_and_costs_more(sandbox):
    number = bought(sign_in(sandbox), "whatsapp", areaCodeSelectOption=["775"])
    assert (number["number"][:3], number["totalCost"]) == ("775", 1.2)


def test_requests_that_the_document_does_not_allow_are_refused(sandbox):
    client = sign_in(sandbox)
    bodies = [
        {"serviceName": "whatsapp"},
        {"serviceName": "whatsapp", "capability": "smoke"},
        {"serviceName": "whatsapp", "capability": "sms", "surprise": 1},
        {"serviceName": "whatsapp", "capability": "sms", "maxPrice": "1.10"},
        {"serviceName": "nobody", "capability": "sms"},
    ]
    answers = [client.post("/verifications", json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [400] * 5
    assert [answer.json()["errorCode"] for answer in answers] == ["ValidationError"] * 4 + ["ServiceNotFound"]


def test_stock_is_told_and_runs_out(sandbox):
    client = sign_in(sandbox)
    sandbox.settings(stock={"whatsapp": 1})
    question = {"serviceName": "whatsapp", "numberType": "mobile", "capability": "sms"}
    assert client.post("/inventory/verifications", json=question).json() == {"availableQuantity": 1}
    assert buy(client, "whatsapp").status_code == 201
    assert client.post("/inventory/verifications", json=question).json() == {"availableQuantity": 0}
    assert buy(client, "whatsapp").json()["errorCode"] == "Unavailable"


def test_too_many_open_numbers_are_refused_until_one_ends(sandbox):
    client = sign_in(sandbox)
    sandbox.settings(max_unfinished=1)
    number = bought(client)
    assert buy(client).json()["errorCode"] == "TooManyUnfinishedVerifications"
    client.post(f"/verifications/{number['id']}/cancel")
    assert buy(client).status_code == 201


def test_a_cancelled_number_is_paid_back_once_and_gets_no_code(sandbox):
    client = sign_in(sandbox)
    number = bought(client, "test_success")
    answers = [client.post(f"/verifications/{number['id']}/cancel").status_code for _ in range(2)]
    sandbox.advance(60)
    assert answers == [200, 400]
    assert states(sandbox) == ["verificationCanceled"]
    assert balance(client) == 10000.0
    assert client.get("/sms", params={"reservationId": number["id"]}).json()["data"] == []


def test_a_completed_number_cannot_be_cancelled(sandbox):
    client = sign_in(sandbox)
    number = bought(client, "test_success")
    sandbox.advance(4)
    answer = client.post(f"/verifications/{number['id']}/cancel")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CancellationNotAllowed")
    assert balance(client) == 9999.75


def test_too_early_a_cancel_is_told_the_seconds_to_wait(sandbox):
    client = sign_in(sandbox)
    sandbox.settings(cancel_lock_seconds=30)
    number = bought(client)
    assert number["cancel"]["canCancel"] is False
    sandbox.advance(19.5)
    assert client.post(f"/verifications/{number['id']}/cancel").json() == {
        "errorCode": "TooEarlyToCancel",
        "errorDescription": "This verification can be canceled in 11 seconds.",
    }
    sandbox.advance(11)
    assert client.get(f"/verifications/{number['id']}").json()["cancel"]["canCancel"] is True
    assert client.post(f"/verifications/{number['id']}/cancel").status_code == 200


def test_a_number_that_timed_out_can_be_reported_and_is_paid_back_once(sandbox):
    client = sign_in(sandbox)
    number = bought(client, "test_timeout")
    sandbox.advance(21)
    assert client.get(f"/verifications/{number['id']}").json()["report"]["canReport"] is True
    answers = [client.post(f"/verifications/{number['id']}/report").status_code for _ in range(2)]
    assert (answers, states(sandbox), balance(client)) == ([200, 400], ["verificationReported"], 10000.0)


def test_lists_are_paged_newest_first(sandbox):
    client = sign_in(sandbox)
    for place in range(53):
        buy(client, key=f"key-{place}")
    first = client.get("/verifications").json()
    second = client.get(first["links"]["next"]["href"]).json()
    order = [row["id"] for row in first["data"] + second["data"]]
    assert order == [number["id"] for number in reversed(sandbox.ledger()["numbers"])]
    assert (first["hasNext"], first["hasPrevious"], second["hasNext"], second["hasPrevious"]) == (
        True,
        False,
        False,
        True,
    )
    assert [row["totalCost"] for row in client.get("/sales").json()["data"]] == [0.25] * 50


def test_unknown_numbers_and_sales_are_not_found(sandbox):
    client = sign_in(sandbox)
    paths = ("/verifications/lr_none", "/sales/sa_none")
    assert [client.get(path).status_code for path in paths] == [404, 404]
    assert client.post("/verifications/lr_none/cancel").status_code == 404


def test_the_same_seed_gives_the_same_fates_and_about_one_in_eight_never_delivers(sandbox):
    client = sign_in(sandbox)

    def fates(seed: int) -> list[bool]:
        sandbox.settings(seed=seed)
        ids = [buy(client, "whatsapp").headers["Location"].rsplit("/", 1)[1] for _ in range(64)]
        sandbox.advance(8.1)
        sold = {number["id"]: number["state"] for number in sandbox.ledger()["numbers"]}
        return [sold[number_id] == "verificationCompleted" for number_id in ids]

    first, again, other = fates(7), fates(7), fates(8)
    assert first == again
    assert first != other
    assert 2 <= first.count(False) <= 16


def test_ordinary_codes_come_between_two_and_eight_seconds(sandbox):
    client = sign_in(sandbox)
    for _ in range(16):
        buy(client, "telegram")
    sandbox.advance(1.9)
    assert set(states(sandbox)) == {"verificationPending"}
    sandbox.advance(6.2)
    assert "verificationCompleted" in states(sandbox)


def test_a_phone_number_is_held_by_one_reservation_at_a_time(sandbox):
    client = sign_in(sandbox)
    area = {"areaCodeSelectOption": ["775"]}
    first = [bought(client, "whatsapp", **area) for _ in range(100)]
    assert len({number["number"] for number in first}) == 100
    assert buy(client, "whatsapp", **area).json()["errorCode"] == "Unavailable"
    client.post(f"/verifications/{first[41]['id']}/cancel")
    again = bought(client, "whatsapp", **area)
    assert (again["number"], again["id"] == first[41]["id"]) == (first[41]["number"], False)


def test_a_message_belongs_to_the_newest_reservation_of_its_number(sandbox):
    client = sign_in(sandbox)
    area = {"areaCodeSelectOption": ["775"]}
    numbers = [bought(client, "test_pending", **area) for _ in range(100)]
    old = numbers[0]
    client.post(f"/verifications/{old['id']}/cancel")
    new = bought(client, "test_pending", **area)
    assert new["number"] == old["number"]
    sandbox.sms(new["number"], "Your code is 555 123")
    found = [client.get("/sms", params={"reservationId": n["id"]}).json()["data"] for n in (old, new)]
    assert found[0] == []
    assert [message["parsedCode"] for message in found[1]] == ["555123"]
