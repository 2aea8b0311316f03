from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from accounts.tests.factories import make_user
from config.lib.errors.base import DomainError
from config.lib.remote.errors import OutcomeUnknown
from payments import services
from payments.gateways.stripe import Stripe
from payments.models import Payment
from payments.services.checkout import open_checkout
from wallet.selectors import balance_of

SESSIONS = "/stripe/v1/checkout/sessions"
CREATE = f"^POST {SESSIONS}$"
pytestmark = pytest.mark.django_db


def top_up(user, **fields):
    return services.initiate(**{"user": user, "amount": 20_00, "now": timezone.now(), **fields})


def begin(user, **fields):
    return top_up(user, **fields).payment


def refusal(work):
    with pytest.raises(DomainError) as caught:
        work()
    return caught.value


def test_a_top_up_opens_a_checkout_of_just_that_amount(customer, sandbox, settings):
    now = timezone.now()
    payment = begin(customer, now=now)
    (asked,) = sandbox.request_log()
    form = {name: values[0] for name, values in parse_qs(asked["body"]).items()}
    page = f"{settings.PUBLIC_URL}/payments/{payment.reference}"
    assert (asked["key"], form) == (
        payment.reference,
        {
            "mode": "payment",
            "client_reference_id": payment.reference,
            "customer_email": customer.email,
            "expires_at": str(int((now + timedelta(hours=2)).timestamp())),
            "success_url": f"{page}?returned=1",
            "cancel_url": f"{page}?cancelled=1",
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "usd",
            "line_items[0][price_data][unit_amount]": "2000",
            "line_items[0][price_data][product_data][name]": "Ringfence top-up of $20.00",
        },
    )


def test_the_payment_keeps_the_checkout_and_nothing_is_credited_yet(begun, customer, sandbox, news):
    assert begun.checkout_url == f"{sandbox.base_url}/checkout/{begun.gateway_id}"
    assert (begun.status, begun.amount, begun.currency, begun.completed_at) == ("initiated", 20_00, "USD", None)
    assert begun.next_check_at == begun.created_at + timedelta(minutes=10)
    assert balance_of(user=customer).balance == 0


def test_its_news_goes_out_with_the_row(customer, sandbox, news):
    begin(customer)
    assert news == ["payment_initiated"]


@pytest.mark.parametrize("cents", [4_99, 500_01, 0, -20_00, 10**15, True, 20.0, "2000"])
def test_an_amount_out_of_bounds_is_refused_by_name_and_nothing_is_written(customer, sandbox, cents):
    refused = refusal(lambda: begin(customer, amount=cents))
    sentence = "Enter an amount from $5.00 to $500.00."
    assert (refused.code, refused.status, refused.extra) == (
        "validation_error",
        400,
        {"errors": {"amount": [sentence]}},
    )
    assert (Payment.objects.count(), sandbox.requests()) == (0, [])


@pytest.mark.parametrize("cents", [5_00, 500_00])
def test_the_bounds_themselves_are_fine(customer, sandbox, cents):
    assert begin(customer, amount=cents).amount == cents


def test_an_unknown_gateway_is_refused_by_name(customer, sandbox):
    refused = refusal(lambda: begin(customer, gateway="barter"))
    assert refused.extra == {"errors": {"gateway": ["The gateway is one of: stripe."]}}


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel", "a\nb"])
def test_a_key_that_no_header_could_carry_is_refused(customer, sandbox, key):
    assert list(refusal(lambda: begin(customer, key=key)).extra["errors"]) == ["Idempotency-Key"]


def test_the_same_key_answers_with_the_same_payment(customer, sandbox, news):
    first, again = top_up(customer, key="k1"), top_up(customer, key="k1")
    assert (again.payment, again.payment.checkout_url) == (first.payment, first.payment.checkout_url)
    assert (first.replayed, again.replayed) == (False, True)
    assert (news, len(sandbox.requests())) == (["payment_initiated"], 1)


def test_the_same_key_for_another_amount_is_refused(customer, sandbox):
    begin(customer, key="k1")
    refused = refusal(lambda: begin(customer, key="k1", amount=30_00))
    assert (refused.code, refused.status) == ("key_reused", 422)


def test_a_key_belongs_to_its_user(customer, sandbox):
    assert begin(make_user(), key="k1") != begin(customer, key="k1")


def test_who_begins_too_many_is_told_how_long_to_wait(customer, sandbox, settings):
    settings.MAX_TOP_UPS_PER_HOUR = 2
    now = timezone.now()
    begin(customer, now=now - timedelta(minutes=30)), begin(customer, now=now)
    refused = refusal(lambda: begin(customer, now=now))
    assert (refused.code, refused.status, refused.extra) == ("over_limit", 429, {"retry_after": 1800})
    assert begin(customer, now=now + timedelta(minutes=31)).status == "initiated"


# --- faults


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "hang", "hang_after", "error_500", "html_502"])
def test_an_unclear_answer_is_asked_once_more_with_the_same_key(customer, sandbox, fault):
    sandbox.fault(CREATE, fault)
    payment = begin(customer)
    keys = [entry["key"] for entry in sandbox.request_log()]
    assert (payment.status, bool(payment.checkout_url), keys) == ("initiated", True, [payment.reference] * 2)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "hang", "hang_after", "error_500", "html_502"])
def test_unclear_twice_is_told_and_nothing_half_is_kept(customer, sandbox, fault):
    sandbox.fault(CREATE, fault, times=2)
    refused = refusal(lambda: begin(customer))
    payment = Payment.objects.get()
    assert (refused.code, refused.status) == ("gateway_unavailable", 503)
    assert refused.extra == {"reference": payment.reference, "retry_after": 30}
    assert (payment.status, payment.gateway_id, payment.checkout_url) == ("initiated", "", "")


@pytest.mark.parametrize("fault", ["hang_after", "throttle_429", "unauthorized_401", "error_500"])
def test_the_same_key_goes_on_with_a_payment_whose_checkout_did_not_open(customer, sandbox, fault):
    sandbox.fault(CREATE, fault, times=2)
    refused = refusal(lambda: begin(customer, key="k1"))
    again = top_up(customer, key="k1") if fault in ("hang_after", "error_500") else second_luck(customer)
    payment = again.payment
    assert payment.reference == refused.extra["reference"]
    assert (payment.status, bool(payment.checkout_url), again.replayed) == ("initiated", True, True)


def second_luck(customer):
    """These faults cost one request each, since they are not asked again at once."""
    refusal(lambda: begin(customer, key="k1"))
    return top_up(customer, key="k1")


@pytest.mark.parametrize(("fault", "wait"), [("throttle_429", 1.0), ("unauthorized_401", 30)])
def test_what_surely_was_not_done_is_not_asked_again_at_once(customer, sandbox, fault, wait):
    sandbox.fault(CREATE, fault)
    refused = refusal(lambda: begin(customer))
    assert (refused.status, refused.extra["retry_after"], len(sandbox.requests())) == (503, wait, 1)


def test_nobody_listening_is_surely_not_done(customer, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert refusal(lambda: begin(customer)).status == 503
    assert Payment.objects.get().status == "initiated"


def test_a_slow_answer_within_the_limit_is_waited_for(customer, sandbox):
    sandbox.fault(CREATE, "slow:0.2")
    assert begin(customer).checkout_url != ""


def test_a_refused_checkout_ends_the_payment(customer, sandbox, settings, news):
    settings.CURRENCY = ""  # Stripe refuses that
    refused = refusal(lambda: begin(customer))
    payment = Payment.objects.get()
    assert (refused.status, refused.extra) == (503, {"reference": payment.reference})
    assert (payment.status, payment.failure_reason) == ("failed", "The payment gateway refused to open a checkout.")
    assert news == ["payment_initiated", "payment_failed"]


def test_who_fails_beside_a_luckier_request_with_the_same_key_gets_its_checkout(customer, sandbox, monkeypatch):
    def slower(self, request):
        Payment.objects.update(gateway_id="cs_1", checkout_url="http://pay.test/1")
        raise OutcomeUnknown("still under way")

    monkeypatch.setattr(Stripe, "create", slower)
    assert begin(customer, key="k1").checkout_url == "http://pay.test/1"


def test_a_payment_never_changes_its_checkout(begun, customer, sandbox):
    Payment.objects.update(gateway_id="cs_first", checkout_url="http://pay.test/1")
    stale = Payment(**{**vars_of(begun), "gateway_id": ""})
    assert open_checkout(payment=stale, now=timezone.now()).gateway_id == "cs_first"


def vars_of(payment):
    return {field.attname: getattr(payment, field.attname) for field in Payment._meta.concrete_fields}
