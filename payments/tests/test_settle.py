from datetime import timedelta

import pytest
from django.utils import timezone

from payments import services
from payments.gateways.base import GatewayState
from payments.models import Payment
from payments.services.outcome import apply
from payments.tests.factories import make_payment
from wallet.models import Transaction
from wallet.selectors import balance_of

FETCH = "^GET /stripe/v1/checkout/sessions/"
pytestmark = pytest.mark.django_db


def settle(payment):
    return services.settle(payment=Payment.objects.get(pk=payment.pk), now=timezone.now())


def journal():
    return list(Transaction.objects.order_by("id").values_list("amount", "type", "counterparty", "reference"))


def test_what_was_paid_is_credited_to_the_payments_owner(begun, customer, sandbox, news):
    sandbox.pay(begun.reference)
    now = timezone.now()
    settled = services.settle(payment=begun, now=now)
    assert (settled.status, settled.completed_at, settled.next_check_at) == ("completed", now, None)
    assert journal() == [(20_00, "credit", "gateway:stripe", f"payment:{begun.reference}")]
    assert balance_of(user=customer).balance == 20_00
    row = Transaction.objects.get()
    assert (row.resource_type, row.resource_id, row.description) == ("payment", begun.reference, "Top-up by Stripe")
    assert news == ["payment_initiated", "payment_completed"]


def test_a_payment_kept_with_small_letters_is_credited_as_well(begun, customer, sandbox):
    Payment.objects.update(currency="usd")
    sandbox.pay(begun.reference)
    assert settle(begun).status == "completed"
    assert balance_of(user=customer).balance == 20_00


def test_settling_again_credits_nothing_and_asks_nobody(begun, customer, sandbox, news):
    sandbox.pay(begun.reference)
    settle(begun)
    asked = len(sandbox.requests())
    assert settle(begun).status == "completed"
    assert (balance_of(user=customer).balance, len(sandbox.requests()) - asked) == (20_00, 0)
    assert news.count("payment_completed") == 1


def test_an_unpaid_checkout_leaves_the_payment_waiting(begun, customer, sandbox, news):
    settled = settle(begun)
    assert (settled.status, settled.next_check_at) == ("initiated", begun.next_check_at)
    assert news == ["payment_initiated"]


def test_a_failed_payment_says_so_once(begun, customer, sandbox, news):
    sandbox.pay(begun.reference, "failed")
    settle(begun)
    settled = settle(begun)
    assert (settled.status, settled.failure_reason) == ("failed", "The payment did not go through.")
    assert news == ["payment_initiated", "payment_failed"]


def test_money_that_comes_after_a_failure_counts(begun, customer, sandbox, news):
    sandbox.pay(begun.reference, "failed")
    settle(begun)
    sandbox.pay(begun.reference)
    settled = settle(begun)
    assert (settled.status, settled.failure_reason) == ("completed", "")
    assert balance_of(user=customer).balance == 20_00


def test_an_expired_checkout_expires_the_payment(begun, sandbox, news):
    sandbox.advance(7300)
    assert settle(begun).status == "expired"
    assert news == ["payment_initiated", "payment_expired"]


def test_money_that_comes_after_the_expiry_counts(begun, customer, sandbox):
    sandbox.advance(7300)
    settle(begun)
    sandbox.pay(begun.reference)
    assert settle(begun).status == "completed"
    assert balance_of(user=customer).balance == 20_00


# --- mismatches


@pytest.mark.parametrize("paid", [{"amount": "19.00"}, {"amount": "21.00"}, {"currency": "eur"}])
def test_another_amount_or_currency_credits_nothing_and_raises_an_alarm(begun, customer, sandbox, news, paid):
    sandbox.pay(begun.reference, **paid)
    settled = settle(begun)
    assert settled.mismatch == {
        "reference": begun.reference,
        "gateway_id": begun.gateway_id,
        "asked_amount": "20.00",
        "asked_currency": "USD",
        "paid_amount": paid.get("amount", "20.00"),
        "paid_currency": paid.get("currency", "usd").upper(),
    }
    reason = "We received a different amount than expected, so nothing was credited yet."
    assert (settled.status, settled.failure_reason, settled.completed_at) == ("failed", reason, None)
    assert (balance_of(user=customer).balance, journal()) == (0, [])
    assert news == ["payment_initiated", "payment_mismatched"]


def test_the_same_mismatch_is_told_once(begun, sandbox, news):
    sandbox.pay(begun.reference, amount="19.00")
    settle(begun), settle(begun)
    assert news == ["payment_initiated", "payment_mismatched"]


def test_a_mismatch_after_the_expiry_is_noted_and_moves_nothing(begun, customer, sandbox, news):
    sandbox.advance(7300)
    settle(begun)
    sandbox.pay(begun.reference, amount="19.00")
    settled = settle(begun)
    assert (settled.status, settled.mismatch["paid_amount"], journal()) == ("expired", "19.00", [])
    assert news == ["payment_initiated", "payment_expired", "payment_mismatched"]


def test_a_mismatch_told_late_does_not_touch_a_completed_payment(begun, sandbox, news):
    sandbox.pay(begun.reference)
    settle(begun)
    strange = GatewayState(status="paid", amount=1, currency="USD", gateway_id=begun.gateway_id)
    after = apply(payment=begun, state=strange, now=timezone.now())
    assert (after.status, after.mismatch, news[-1]) == ("completed", None, "payment_completed")


@pytest.mark.parametrize("late", ["open", "processing", "failed", "expired"])
def test_late_news_never_undoes_a_completed_payment(begun, customer, sandbox, late):
    sandbox.pay(begun.reference)
    settle(begun)
    state = GatewayState(status=late, amount=20_00, currency="USD", gateway_id=begun.gateway_id)
    assert apply(payment=begun, state=state, now=timezone.now()).status == "completed"
    assert balance_of(user=customer).balance == 20_00


# --- the gateway's faults


@pytest.mark.parametrize(
    "fault",
    ["drop_before", "drop_after", "hang", "hang_after", "error_500", "html_502", "throttle_429", "unauthorized_401"],
)
def test_a_gateway_that_can_not_be_asked_is_unknown_and_never_failed(begun, customer, sandbox, news, fault):
    sandbox.pay(begun.reference)
    sandbox.fault(FETCH, fault)
    with pytest.raises(services.GatewayUnavailable) as refused:
        settle(begun)
    payment = Payment.objects.get()
    assert (refused.value.code, refused.value.status, refused.value.extra["reference"]) == (
        "gateway_unavailable",
        503,
        begun.reference,
    )
    assert (payment.status, balance_of(user=customer).balance) == ("initiated", 0)
    assert settle(begun).status == "completed"


def test_a_checkout_that_the_gateway_does_not_know_is_not_called_failed(begun, sandbox):
    Payment.objects.update(gateway_id="cs_test_gone")
    with pytest.raises(services.GatewayUnavailable):
        settle(begun)
    assert Payment.objects.get().status == "initiated"


# --- a crash between the row and its checkout


def test_a_payment_left_without_a_checkout_gets_it_when_its_owner_comes_back(customer, sandbox):
    payment = settle(make_payment(customer))
    assert (payment.status, payment.checkout_url) == (
        "initiated",
        f"{sandbox.base_url}/checkout/{payment.gateway_id}",
    )


def test_a_payment_whose_checkout_was_opened_but_not_noted_gets_the_same_one(begun, sandbox):
    Payment.objects.update(gateway_id="", checkout_url="")
    again = settle(begun)
    assert (again.gateway_id, again.checkout_url) == (begun.gateway_id, begun.checkout_url)


@pytest.mark.parametrize(
    "fields",
    [{"status": "failed"}, {"status": "expired"}, {"age": timedelta(hours=3)}],
    ids=["failed", "expired", "old"],
)
def test_a_payment_that_never_had_a_checkout_and_is_over_has_nothing_to_ask(customer, sandbox, fields):
    payment = make_payment(customer, **fields)
    assert settle(payment).status == payment.status
    assert sandbox.requests() == []
