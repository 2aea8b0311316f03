from datetime import timedelta

import pytest
from django.utils import timezone

from payments import services
from payments.models import Payment
from payments.tests.factories import make_payment
from wallet.selectors import balance_of

CREATE = "^POST /stripe/v1/checkout/sessions$"
FETCH = "^GET /stripe/v1/checkout/sessions/"
EXPIRE = "^POST /stripe/v1/checkout/sessions/.*/expire$"
FAULTS = [
    "drop_before",
    "drop_after",
    "hang",
    "hang_after",
    "error_500",
    "html_502",
    "throttle_429",
    "unauthorized_401",
]
pytestmark = pytest.mark.django_db


def check(after: timedelta = timedelta(0)) -> int:
    return services.check_due(now=timezone.now() + after)


def asked(sandbox):
    return [line.replace("/stripe/v1/checkout/sessions", "…").split("cs_test_")[0] for line in sandbox.requests()]


def test_a_payment_is_left_alone_for_ten_minutes(begun, sandbox):
    assert check(timedelta(minutes=9, seconds=59)) == 0
    assert asked(sandbox) == ["POST …"]


def test_a_paid_payment_that_nobody_told_us_about_is_credited(begun, customer, sandbox):
    sandbox.pay(begun.reference)
    assert check(timedelta(minutes=10)) == 1
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)


def test_an_unpaid_one_is_asked_about_ever_more_rarely_and_once_more_when_it_ends(begun, sandbox):
    now, minutes = begun.next_check_at, []
    while now < begun.expires_at:
        services.check_due(now=now)
        minutes.append(round((now - begun.created_at).total_seconds() / 60))
        now = Payment.objects.get().next_check_at
    assert (minutes, now) == ([10, 15, 22, 34, 51, 76, 114], begun.expires_at)


def test_after_two_hours_it_is_closed_at_the_gateway_and_then_expired_here(begun, customer, sandbox, news):
    check(timedelta(hours=2))
    payment = Payment.objects.get()
    assert (payment.status, payment.next_check_at) == ("expired", None)
    assert asked(sandbox) == ["POST …", "GET …/", "POST …/"]
    assert news == ["payment_initiated", "payment_expired"]


def test_nobody_can_pay_what_was_closed(begun, sandbox):
    check(timedelta(hours=2))
    assert [hook["event"] for hook in sandbox.webhooks()] == ["checkout.session.expired"]


def test_what_was_paid_in_the_last_minute_is_credited_and_not_expired(begun, customer, sandbox):
    sandbox.pay(begun.reference)
    check(timedelta(hours=3))
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)


def test_money_that_comes_after_the_expiry_counts(begun, customer, sandbox, deliver):
    check(timedelta(hours=2))
    sandbox.pay(begun.reference)
    deliver()
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_answer_is_unknown_and_is_asked_again(begun, customer, sandbox, fault):
    sandbox.pay(begun.reference)
    sandbox.fault(FETCH, fault)
    check(timedelta(hours=2))
    payment = Payment.objects.get()
    assert (payment.status, balance_of(user=customer).balance) == ("initiated", 0)
    services.check_due(now=payment.next_check_at)
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_payment_is_not_expired_before_the_gateway_closed_it(begun, sandbox, fault):
    sandbox.fault(EXPIRE, fault)
    check(timedelta(hours=2))
    payment = Payment.objects.get()
    assert payment.status == "initiated"
    services.check_due(now=payment.next_check_at)
    assert Payment.objects.get().status == "expired"


def test_a_checkout_paid_while_it_is_being_closed_is_credited(begun, customer, sandbox, monkeypatch):
    from config.lib.remote.errors import Rejected
    from payments import gateways

    def too_late(self, gateway_id):
        sandbox.pay(begun.reference)
        raise Rejected("not open any more")

    monkeypatch.setattr(type(gateways.by_name("stripe")), "expire", too_late)
    check(timedelta(hours=2))
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)


# --- payments without a checkout


def test_a_payment_cut_off_before_its_checkout_gets_it_within_a_minute(customer, sandbox):
    make_payment(customer)
    assert (check(timedelta(seconds=59)), check(timedelta(seconds=60))) == (0, 1)
    payment = Payment.objects.get()
    assert (payment.status, payment.checkout_url) == (
        "initiated",
        f"{sandbox.base_url}/checkout/{payment.gateway_id}",
    )


def test_a_checkout_that_was_opened_but_not_noted_is_found_again_and_credited(begun, customer, sandbox):
    Payment.objects.update(gateway_id="", checkout_url="", next_check_at=begun.created_at)
    sandbox.pay(begun.reference)
    check()
    payment = Payment.objects.get()
    assert (payment.gateway_id, payment.status) == (begun.gateway_id, "completed")
    assert balance_of(user=customer).balance == 20_00


def test_too_late_for_a_checkout_the_payment_expires(customer, sandbox, news):
    make_payment(customer, age=timedelta(hours=2))
    check()
    assert (Payment.objects.get().status, news) == ("expired", ["payment_expired"])


@pytest.mark.parametrize("fault", FAULTS)
def test_an_unclear_opening_is_asked_again_with_the_same_key(customer, sandbox, fault):
    payment = make_payment(customer)
    sandbox.fault(CREATE, fault)
    check(timedelta(seconds=60))
    assert Payment.objects.get().gateway_id == ""
    services.check_due(now=Payment.objects.get().next_check_at)
    assert [entry["key"] for entry in sandbox.request_log() if entry["method"] == "POST"] == [payment.reference] * 2
    assert Payment.objects.get().checkout_url != ""


def test_an_opening_that_stays_unclear_is_given_up_a_day_after_the_end(customer, sandbox):
    make_payment(customer, age=timedelta(hours=2) + timedelta(hours=23, minutes=59))
    sandbox.fault(CREATE, "error_500", times=2)
    check()
    assert Payment.objects.get().status == "initiated"
    check(timedelta(hours=1))
    assert Payment.objects.get().status == "expired"


def test_a_checkout_that_the_gateway_forgot_is_given_up_a_day_after_the_end(begun, sandbox):
    Payment.objects.update(gateway_id="cs_test_gone")
    check(timedelta(hours=25))
    assert Payment.objects.get().status == "initiated"
    check(timedelta(hours=27))
    assert Payment.objects.get().status == "expired"


def test_a_silent_gateway_is_never_taken_for_a_no(begun, sandbox, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    check(timedelta(days=30))
    assert Payment.objects.get().status == "initiated"


def test_a_run_stops_asking_a_gateway_that_is_down_and_the_rest_keep_their_turn(customer, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    for number in range(5):
        make_payment(customer, gateway_id=f"cs_{number}", age=timedelta(minutes=11))
    assert check() == 3
    assert Payment.objects.filter(next_check_at__lte=timezone.now()).count() == 2


def test_one_payment_that_breaks_does_not_hold_up_the_others(customer, sandbox, monkeypatch):
    from payments.services import check as module

    first, second = (make_payment(customer, age=timedelta(minutes=11)) for _ in range(2))
    ask = module.check

    def broken(*, payment, now):
        return 1 / 0 if payment == first else ask(payment=payment, now=now)

    monkeypatch.setattr(module, "check", broken)
    assert check() == 2
    assert [Payment.objects.get(pk=one.pk).gateway_id != "" for one in (first, second)] == [False, True]


# --- reconciling


def reconcile(*, execute):
    now = timezone.now()
    return services.reconcile(since=now - timedelta(days=1), now=now, execute=execute)


def test_reconciling_finds_a_payment_that_the_gateway_has_and_we_do_not(begun, customer, sandbox):
    sandbox.pay(begun.reference)
    report = reconcile(execute=False)
    found = {
        "reference": begun.reference,
        "amount": "20.00",
        "ours": "initiated",
        "gateway": "paid",
        "now": "completed",
    }
    assert (report.checked, report.found, report.mended, report.amount, report.rows) == (1, 1, 1, 20_00, [found])
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("initiated", 0)


def test_reconciling_mends_it_and_is_clean_after(begun, customer, sandbox):
    sandbox.pay(begun.reference)
    assert reconcile(execute=True).mended == 1
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)
    assert reconcile(execute=True).clean


def test_reconciling_reports_what_it_can_not_mend(begun, sandbox):
    Payment.objects.update(status="completed", completed_at=timezone.now())
    report = reconcile(execute=True)
    assert (report.found, report.mended, report.rows[0]["gateway"]) == (1, 0, "open")
    sandbox.fault(FETCH, "error_500")
    assert reconcile(execute=True).rows[0]["gateway"] == "Unavailable"
