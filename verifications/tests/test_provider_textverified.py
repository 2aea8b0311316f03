"""The adapter against the sandbox, when all goes well."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from prometheus_client import REGISTRY

from config.lib.remote.errors import NotFound, Rejected, Unavailable
from verifications.providers.base import InProgress, KeyExpired, OutOfStock, PriceMoved, ProviderFunds, Spec, TooEarly
from verifications.providers.textverified import TextVerified

WHATSAPP = Spec("whatsapp")


@pytest.fixture
def provider(sandbox, settings):
    settings.PROVIDER_TIMEOUT_SECONDS = 5
    return TextVerified()


def test_services_are_listed_without_prices(provider):
    listing = next(listing for listing in provider.services() if listing.name == "whatsapp")
    assert (listing.capability, listing.title) == ("sms", "WhatsApp")


def test_a_quote_has_cost_and_stock(provider):
    quote = provider.quote(WHATSAPP)
    assert (quote.service, quote.cost, quote.stock) == ("whatsapp", Decimal("1.10"), 500)


def test_an_area_code_costs_more(provider):
    assert provider.quote(replace(WHATSAPP, area_code="212")).cost == Decimal("1.20")


def test_a_quote_survives_a_stock_that_is_not_told(provider, sandbox):
    sandbox.fault("/inventory/", "error_500")
    assert provider.quote(WHATSAPP).stock is None


def test_an_unknown_service_is_rejected(provider):
    with pytest.raises(Rejected):
        provider.quote(Spec("nowhere"))


def test_a_capability_that_nobody_sells_is_rejected_without_asking(provider, sandbox):
    with pytest.raises(Rejected):
        provider.purchase(Spec("whatsapp", capability="fax"), key="k1")
    assert sandbox.ledger()["numbers"] == []


def test_a_purchase_gives_the_number(provider, sandbox):
    number = provider.purchase(replace(WHATSAPP, max_cost=Decimal("1.10")), key="k1")
    sold = sandbox.ledger()["numbers"]
    assert sold == [
        {
            "id": number.provider_id,
            "number": number.phone_number,
            "service": "whatsapp",
            "state": "verificationPending",
            "cost": "1.10",
            "key": "k1",
        }
    ]
    assert (number.service, number.state, number.cost, number.can_cancel) == (
        "whatsapp",
        "waiting",
        Decimal("1.10"),
        True,
    )
    assert timedelta(minutes=5) <= number.expires_at - number.created_at <= timedelta(minutes=15)
    assert number.created_at.tzinfo is UTC


def test_an_area_code_is_ordered(provider):
    assert provider.purchase(replace(WHATSAPP, area_code="212"), key="k1").phone_number.startswith("212")


def test_the_same_key_is_the_same_number_and_one_sale(provider, sandbox):
    first = provider.purchase(WHATSAPP, key="k1")
    assert provider.purchase(WHATSAPP, key="k1").provider_id == first.provider_id
    assert len(sandbox.ledger()["numbers"]) == 1


def test_a_running_key_is_in_progress(provider, sandbox):
    sandbox.plant_key("k1", "running")
    with pytest.raises(InProgress):
        provider.purchase(WHATSAPP, key="k1")


def test_an_expired_key_bought_nothing(provider, sandbox):
    sandbox.plant_key("k1", "expired")
    with pytest.raises(KeyExpired):
        provider.purchase(WHATSAPP, key="k1")
    assert sandbox.ledger()["numbers"] == []


@pytest.mark.parametrize(
    ("service", "max_cost", "error"),
    [
        ("test_no_numbers", None, OutOfStock),
        ("test_insufficient_balance", None, ProviderFunds),
        ("whatsapp", Decimal("1.09"), PriceMoved),
        ("nowhere", None, Rejected),
    ],
)
def test_a_refused_purchase_says_why_and_bought_nothing(provider, sandbox, service, max_cost, error):
    with pytest.raises(error):
        provider.purchase(Spec(service, max_cost=max_cost), key="k1")
    assert sandbox.ledger()["numbers"] == []


def test_fetching_brings_the_messages_with_their_codes(provider, sandbox):
    number = provider.purchase(Spec("test_pending"), key="k1")
    assert provider.fetch(number.provider_id).messages == ()
    sandbox.sms(number.phone_number, "Your code is 123-456")
    fetched = provider.fetch(number.provider_id)
    assert [(text.text, text.code) for text in fetched.messages] == [("Your code is 123-456", "123456")]
    assert fetched.state == "completed"


def test_messages_of_an_earlier_holder_of_the_number_are_not_fetched(provider, sandbox):
    earlier = provider.purchase(Spec("test_pending"), key="k1")
    sandbox.sms(earlier.phone_number, "Your code is 111111")
    sandbox.advance(901)
    area = earlier.phone_number[:3]
    numbers = [provider.purchase(Spec("test_pending", area_code=area), key=f"again-{n}") for n in range(100)]
    again = next(number for number in numbers if number.phone_number == earlier.phone_number)
    assert provider.fetch(again.provider_id).messages == ()


def test_all_pages_of_messages_are_read(provider, sandbox):
    number = provider.purchase(Spec("test_pending"), key="k1")
    for n in range(60):
        sandbox.sms(number.phone_number, f"Message {n}")
    assert len(provider.fetch(number.provider_id).messages) == 60


@pytest.mark.parametrize("provider_id", ["lr_unknown", "../account/me", ""])
def test_a_number_that_they_do_not_know_is_not_found(provider, provider_id):
    with pytest.raises(NotFound):
        provider.fetch(provider_id)


def test_many_are_fetched_at_once_each_with_its_own_answer(provider):
    numbers = [provider.purchase(Spec("test_pending"), key=f"k{n}") for n in range(5)]
    ids = [number.provider_id for number in numbers]
    found = provider.fetch_many([*ids, "lr_unknown", ids[0]], concurrency=3)
    assert {key: type(answer).__name__ for key, answer in found.items()} == {
        **dict.fromkeys(ids, "Number"),
        "lr_unknown": "NotFound",
    }


def test_polling_asks_for_the_messages_of_those_that_no_longer_wait(provider, sandbox):
    numbers = [provider.purchase(Spec("test_pending"), key=f"k{n}") for n in range(3)]
    sandbox.sms(numbers[0].phone_number, "Your code is 123456")
    found = provider.fetch_many([number.provider_id for number in numbers], concurrency=3)
    assert [[text.code for text in found[number.provider_id].messages] for number in numbers] == [["123456"], [], []]
    assert sum(line.endswith("/sms") for line in sandbox.requests()) == 1


def test_fetching_none_asks_nothing(provider, sandbox):
    assert provider.fetch_many([], concurrency=10) == {}
    assert sandbox.requests() == []


def test_cancelling_gives_the_number_back(provider, sandbox):
    number = provider.purchase(Spec("test_pending"), key="k1")
    provider.cancel(number.provider_id)
    assert [row["state"] for row in sandbox.ledger()["numbers"]] == ["verificationCanceled"]


def test_cancelling_too_early_says_how_long_to_wait(provider, sandbox):
    sandbox.settings(cancel_lock_seconds=60)
    number = provider.purchase(Spec("test_pending"), key="k1")
    with pytest.raises(TooEarly) as refused:
        provider.cancel(number.provider_id)
    assert 55 <= refused.value.retry_after <= 60


def test_cancelling_what_has_ended_is_rejected(provider, sandbox):
    number = provider.purchase(Spec("test_pending"), key="k1")
    sandbox.sms(number.phone_number, "Your code is 123456")
    with pytest.raises(Rejected):
        provider.cancel(number.provider_id)


def test_a_number_never_worked_is_reported(provider, sandbox):
    number = provider.purchase(Spec("test_timeout"), key="k1")
    sandbox.advance(25)
    assert provider.fetch(number.provider_id).can_report
    provider.report(number.provider_id)
    assert provider.fetch(number.provider_id).state == "failed"


def test_many_are_reported_at_once_each_with_its_own_answer(provider, sandbox):
    numbers = [provider.purchase(Spec("test_pending"), key=f"k{n}") for n in range(3)]
    sandbox.sms(numbers[0].phone_number, "Your code is 123456")
    sandbox.advance(1000)
    answers = provider.report_many([*(number.provider_id for number in numbers), "lr_unknown"], concurrency=2)
    first, second, third = (number.provider_id for number in numbers)
    assert {key: type(answer).__name__ for key, answer in answers.items()} == {
        first: "Rejected",
        second: "NoneType",
        third: "NoneType",
        "lr_unknown": "Unexplained",
    }
    assert [number["state"] for number in sandbox.ledger()["numbers"]] == [
        "verificationCompleted",
        "verificationReported",
        "verificationReported",
    ]


def test_reporting_what_worked_is_rejected(provider, sandbox):
    number = provider.purchase(Spec("test_pending"), key="k1")
    sandbox.sms(number.phone_number, "Your code is 123456")
    with pytest.raises(Rejected):
        provider.report(number.provider_id)


def test_recent_sales_come_newest_first_over_all_pages(provider):
    ids = [provider.purchase(Spec("test_pending"), key=f"k{n}").provider_id for n in range(55)]
    found = provider.recent(since=datetime.now(UTC) - timedelta(hours=1))
    assert [sale.provider_id for sale in found] == ids[::-1]
    assert {sale.cost for sale in found} == {Decimal("0.25")}


def test_older_sales_are_left_out_and_their_pages_not_read(provider, sandbox):
    for n in range(120):
        provider.purchase(Spec("test_pending"), key=f"k{n}")
    sandbox.advance(3600)
    newest = provider.purchase(Spec("test_pending"), key="new")
    found = provider.recent(since=newest.created_at - timedelta(minutes=5))
    assert [sale.provider_id for sale in found] == [newest.provider_id]
    assert sum(line.endswith("GET /textverified/api/pub/v2/verifications") for line in sandbox.requests()) == 1


def test_the_balance_is_exact(provider, sandbox):
    sandbox.settings(balance="12.34")
    assert provider.balance() == Decimal("12.34")


def test_calls_are_counted_by_operation_and_outcome(provider):
    labels = {"provider": "textverified", "operation": "fetch", "outcome": "not_found"}
    before = REGISTRY.get_sample_value("provider_requests_total", labels) or 0
    with pytest.raises(NotFound):
        provider.fetch("lr_unknown")
    assert REGISTRY.get_sample_value("provider_requests_total", labels) == before + 1


def test_settings_are_read_at_each_call(provider, settings):
    provider.balance()
    settings.TEXTVERIFIED_BASE_URL = "http://127.0.0.1:9"
    with pytest.raises(Unavailable):
        provider.balance()


def test_a_forked_process_has_a_loop_and_a_session_of_its_own(provider):
    provider.balance()
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if provider.balance() == Decimal(10000) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert provider.balance() == Decimal(10000)


@pytest.mark.races
def test_threads_share_one_session(provider, in_threads):
    answers = in_threads(provider.balance, times=20)
    assert set(answers) == {Decimal(10000)}
