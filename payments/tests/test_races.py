"""Real threads on real connections: whoever is first credits, the others change nothing."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import make_user
from config.lib.errors.base import OverLimit
from payments import gateways, services
from payments.models import GatewayEvent, Payment
from payments.tests.factories import make_event
from wallet.models import Transaction
from wallet.selectors import balance_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.races, pytest.mark.drill]


@pytest.fixture(autouse=True)
def patient(settings):
    """Nine at once on a busy machine wait longer for the sandbox than a test of its silence does."""
    settings.GATEWAY_TIMEOUT_SECONDS = 10


@pytest.fixture
def customer(transactional_db):
    return make_user()


def outcome(user):
    return (
        list(Payment.objects.values_list("status", flat=True)),
        balance_of(user=user).balance,
        list(Transaction.objects.values_list("amount", flat=True)),
    )


def test_webhook_return_and_check_at_once_credit_once(begun, customer, sandbox, deliver, in_threads, news):
    sandbox.pay(begun.reference, duplicate=True)
    later = timezone.now() + timedelta(minutes=10)
    turns = [
        lambda: services.settle(payment=Payment.objects.get(pk=begun.pk), now=timezone.now()).status,
        lambda: deliver(Client()),
        lambda: services.check_due(now=later),
    ] * 3
    answers = in_threads(turns)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert outcome(customer) == (["completed"], 20_00, [20_00])
    assert news.count("payment_completed") == 1
    assert list(GatewayEvent.objects.values_list("outcome", flat=True)) == ["applied"]


def test_twenty_returns_at_once_credit_once(begun, customer, sandbox, in_threads):
    sandbox.pay(begun.reference)
    stale = [Payment.objects.get(pk=begun.pk) for _ in range(20)]
    in_threads([lambda one=one: services.settle(payment=one, now=timezone.now()) for one in stale])
    assert outcome(customer) == (["completed"], 20_00, [20_00])


def test_one_key_at_once_begins_one_payment_with_one_checkout(customer, sandbox, in_threads, news, settings):
    settings.VENDOR_PLACES = {**settings.VENDOR_PLACES, "checkout": 10}
    begun = in_threads(lambda: services.initiate(user=customer, amount=20_00, key="k", now=timezone.now()), times=10)
    assert len({(top_up.payment.reference, top_up.payment.checkout_url) for top_up in begun}) == 1
    assert sorted(top_up.replayed for top_up in begun) == [False] + [True] * 9
    assert (Payment.objects.count(), news) == (1, ["payment_initiated"])


def test_eleven_top_ups_at_once_begin_no_more_than_the_limit(customer, sandbox, in_threads, settings):
    settings.MAX_TOP_UPS_PER_HOUR = 3
    answers = in_threads(
        [
            lambda n=n: services.initiate(
                user=customer, amount=20_00, key=f"k{n}" if n % 2 else None, now=timezone.now()
            )
            for n in range(11)
        ]
    )
    refused = [answer for answer in answers if isinstance(answer, OverLimit)]
    assert (Payment.objects.count(), len(refused)) == (3, 8), answers


def test_one_key_at_once_at_the_limit_is_one_payment_for_all(customer, sandbox, in_threads, settings):
    settings.MAX_TOP_UPS_PER_HOUR = 1
    begun = in_threads(lambda: services.initiate(user=customer, amount=20_00, key="k", now=timezone.now()), times=6)
    assert {getattr(top_up, "payment", top_up) for top_up in begun} == {Payment.objects.get()}


def test_expiry_and_payment_at_once_end_with_the_money(begun, customer, sandbox, deliver, in_threads):
    def pay():
        sandbox.pay(begun.reference)
        return deliver(Client(), only="completed")

    in_threads([pay, lambda: services.check_due(now=timezone.now() + timedelta(hours=2))])
    deliver(Client())
    assert outcome(customer) == (["completed"], 20_00, [20_00])


def test_two_workers_share_the_events_and_try_each_once(customer, sandbox, in_threads):
    for _ in range(10):
        make_event()
    tried = in_threads(lambda: services.retry_events(now=timezone.now()), times=2)
    assert sum(tried) == 10
    assert set(GatewayEvent.objects.values_list("attempts", flat=True)) == {1}


def test_two_checks_share_the_payments_and_ask_once_each(customer, sandbox, in_threads):
    for _ in range(6):
        services.initiate(user=customer, amount=20_00, now=timezone.now())
    asked = in_threads(lambda: services.check_due(now=timezone.now() + timedelta(minutes=11)), times=2)
    assert sum(asked) == 6
    assert len([line for line in sandbox.requests() if line.startswith("GET")]) == 6


def test_the_gateway_is_asked_outside_of_transactions_and_after_the_row_is_committed(
    customer, sandbox, deliver, monkeypatch
):
    asked, stripe = [], type(gateways.by_name("stripe"))
    for name in ("create", "fetch", "expire"):
        ask = getattr(stripe, name)

        def watched(self, argument, *, name=name, ask=ask):
            asked.append((name, connection.in_atomic_block, Payment.objects.count()))
            return ask(self, argument)

        monkeypatch.setattr(stripe, name, watched)
    payment = services.initiate(user=customer, amount=20_00, key="k", now=timezone.now()).payment
    services.settle(payment=payment, now=timezone.now())
    services.check_due(now=timezone.now() + timedelta(hours=2))
    sandbox.pay(payment.reference)
    deliver(Client(), only="completed")
    assert asked == [(name, False, 1) for name in ("create", "fetch", "fetch", "expire", "fetch")]
