"""The pages around a payment."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from dev.sandbox.testing import RunningSandbox
from payments.gateways.base import GatewayState
from payments.models import Payment, PaymentStatus
from payments.services import outcome

pytestmark = pytest.mark.django_db
GO_ON = "Continue your purchase"


def topped_up(client: Client, **form: str) -> Payment:
    answer = client.post("/wallet/top-up", {"choice": "2000", **form})
    assert answer.status_code == 302, answer.content
    payment = Payment.objects.latest("pk")
    Payment.objects.filter(pk=payment.pk).update(status=PaymentStatus.COMPLETED, completed_at=timezone.now())
    return payment


def page_of(client: Client, payment: Payment) -> str:
    answer = client.get(f"/payments/{payment.reference}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_who_lacked_money_for_a_number_is_led_back_to_it(
    client: Client, customer: User, sandbox: RunningSandbox
) -> None:
    client.force_login(customer)
    assert 'name="service" value="test_success"' in client.get("/wallet/top-up?service=test_success").content.decode()
    page = page_of(client, topped_up(client, service="test_success"))
    assert GO_ON in page
    assert 'href="/buy/test_success"' in page


def test_a_payment_for_nothing_leads_to_the_shop(client: Client, customer: User, sandbox: RunningSandbox) -> None:
    client.force_login(customer)
    topped_up(client, service="test_success")
    page = page_of(client, topped_up(client))
    assert GO_ON not in page
    assert 'href="/buy"' in page


@pytest.mark.parametrize("service", ["//elsewhere.test", "a/b", "\n", '"><script>', "x" * 500])
def test_what_is_no_service_leads_nowhere_else(
    client: Client, customer: User, sandbox: RunningSandbox, service: str
) -> None:
    client.force_login(customer)
    page = page_of(client, topped_up(client, service=service))
    assert "<script>" not in page.partition("<main")[2].partition("</main>")[0]
    assert 'href="//' not in page


def test_the_last_few_purchases_are_remembered(client: Client, customer: User, sandbox: RunningSandbox) -> None:
    client.force_login(customer)
    first = topped_up(client, service="test_success")
    for _ in range(5):
        last = topped_up(client, service="test_timeout")
    assert GO_ON not in page_of(client, first)
    assert 'href="/buy/test_timeout"' in page_of(client, last)


def test_who_paid_another_amount_is_not_asked_to_pay_again(client: Client, customer: User, begun: Payment) -> None:
    found = GatewayState(gateway_id=begun.gateway_id, status="paid", amount=10_00, currency="USD")
    outcome.apply(payment=begun, state=found, now=timezone.now())
    client.force_login(customer)
    page = page_of(client, begun)
    assert "Under review" in page
    assert "$10.00" in page
    assert 'href="/wallet/top-up">Try again' not in page
    assert "Under review" in client.get("/payments").content.decode()
