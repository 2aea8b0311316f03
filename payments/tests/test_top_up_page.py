"""The top-up form: what is typed, what is refused, and what happens on the way back."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from dev.sandbox.testing import RunningSandbox
from payments.gateways.base import GatewayState
from payments.models import Payment, PaymentStatus
from payments.services import outcome

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client: Client, customer: User, sandbox: RunningSandbox) -> Client:
    client.force_login(customer)
    return client


def send(browser: Client, **form: str) -> Any:
    return browser.post("/wallet/top-up", {"choice": "2000", **form})


@pytest.mark.parametrize("typed", ["4,99", "1,50", "1,000", "1,0000.00", "10,00.00", "1.234,50"])
def test_an_amount_with_a_doubtful_comma_opens_no_checkout_and_says_how_to_write_it(
    browser: Client, typed: str
) -> None:
    answer = send(browser, amount=typed)
    assert (answer.status_code, Payment.objects.count()) == (302, 0)
    page = browser.get(answer["Location"]).content.decode()
    assert 'id="amount-error">Write the cents after a point and leave out commas, such as 4.99.' in page
    assert f'value="{typed}"' in page


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("twenty", "Enter an amount, such as 20.00."),
        ("20.001", "Enter an amount, such as 20.00."),
        ("٢٠", "Enter an amount, such as 20.00."),
        ("4.99", "Enter an amount from $5.00 to $500.00."),
        ("9" * 5000, "Enter an amount, such as 20.00."),
    ],
)
def test_other_amounts_that_can_not_be_paid_say_what_would_be_right(browser: Client, typed: str, sentence: str) -> None:
    answer = send(browser, amount=typed)
    page = browser.get(answer["Location"]).content.decode()
    assert f'id="amount-error">{sentence}' in page
    assert Payment.objects.count() == 0


@pytest.mark.parametrize("choice", ["", "0", "-2000", "1.5", "²", "9" * 5000])
def test_a_choice_that_was_not_offered_is_refused(browser: Client, choice: str) -> None:
    answer = send(browser, choice=choice)
    page = browser.get(answer["Location"]).content.decode()
    assert 'id="amount-error">Enter an amount, such as 20.00.' in page
    assert Payment.objects.count() == 0


@pytest.mark.parametrize(("typed", "cents"), [("$25.50", 2550), (" 25.5 ", 2550), ("1,234.50", None), ("30", 3000)])
def test_amounts_that_mean_one_thing_are_taken(browser: Client, settings: Any, typed: str, cents: int | None) -> None:
    settings.TOP_UP_MAX_CENTS = 2000_00
    send(browser, amount=typed)
    assert Payment.objects.get().amount == (cents or 1234_50)


def test_a_refused_form_is_shown_by_an_address_that_can_be_gone_back_to(browser: Client) -> None:
    answer = send(browser, amount="4,99", service="test_success")
    shown = browser.get(answer["Location"])
    assert shown.status_code == 200
    assert 'name="service" value="test_success"' in shown.content.decode()


def test_a_gateway_that_does_not_answer_is_told_after_a_redirect_too(browser: Client, sandbox: RunningSandbox) -> None:
    sandbox.fault("/stripe/", "drop_before", times=9)
    answer = send(browser, amount="25.00")
    assert answer.status_code == 302
    page = browser.get(answer["Location"]).content.decode()
    assert "The payment gateway isn&#x27;t responding right now. Nothing was charged." in page
    assert 'value="25.00"' in page


def test_who_comes_back_and_tries_again_goes_on_with_the_open_payment(browser: Client) -> None:
    first = send(browser, key="one")
    again = send(browser, key="another")
    assert again["Location"] == first["Location"]
    assert Payment.objects.count() == 1


def test_another_amount_out_of_the_same_form_is_another_payment(browser: Client) -> None:
    send(browser, key="one")
    send(browser, key="one", amount="30.00")
    assert sorted(Payment.objects.values_list("amount", flat=True)) == [2000, 3000]


def test_who_has_paid_the_open_one_meanwhile_is_told_so_and_pays_no_second_time(
    browser: Client, sandbox: RunningSandbox
) -> None:
    send(browser)
    payment = Payment.objects.get()
    sandbox.pay(payment.reference, "paid")
    answer = send(browser)
    assert answer["Location"] == f"/payments/{payment.reference}"
    assert [row.status for row in Payment.objects.all()] == [PaymentStatus.COMPLETED]


def test_an_open_payment_is_gone_on_with_though_the_gateway_does_not_say_how_it_stands(
    browser: Client, sandbox: RunningSandbox
) -> None:
    first = send(browser)
    sandbox.fault("GET /stripe/", "error_500", times=9)
    assert send(browser)["Location"] == first["Location"]


def test_a_payment_that_is_nearly_over_or_another_customers_is_not_gone_on_with(
    browser: Client, customer: User, django_user_model: Any
) -> None:
    send(browser)
    Payment.objects.update(expires_at=timezone.now() + timezone.timedelta(seconds=60))
    send(browser)
    assert Payment.objects.count() == 2
    stranger = Client()
    stranger.force_login(django_user_model.objects.create(email="another@example.test"))
    send(stranger)
    assert Payment.objects.count() == 3


def test_one_that_got_another_sum_than_it_asked_for_is_shown_rather_than_paid_again(
    browser: Client,
) -> None:
    send(browser)
    payment = Payment.objects.get()
    found = GatewayState(gateway_id=payment.gateway_id, status="paid", amount=10_00, currency="USD")
    outcome.apply(payment=payment, state=found, now=timezone.now())
    assert send(browser)["Location"] != payment.checkout_url


def test_the_form_offers_the_payment_that_is_open(browser: Client) -> None:
    assert "haven't paid" not in browser.get("/wallet/top-up").content.decode()
    checkout = send(browser)["Location"]
    page = browser.get("/wallet/top-up").content.decode()
    assert "You began a payment of $20.00" in page
    assert f'href="{checkout}"' in page
