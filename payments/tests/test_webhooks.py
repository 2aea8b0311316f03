import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from config.lib.errors.base import NotFound
from payments import services
from payments.models import GatewayEvent, Payment
from payments.services import events, purge
from payments.signals import gateway_event_given_up
from payments.tests.factories import event_body, make_event, make_payment, signed
from wallet.selectors import balance_of

FETCH = "^GET /stripe/v1/checkout/sessions/"
COMPLETED = "checkout.session.completed"
pytestmark = pytest.mark.django_db


@pytest.fixture
def post(sandbox):
    """Like Stripe, who knows of no CSRF token."""
    return lambda **request: Client(enforce_csrf_checks=True).post("/webhooks/stripe", **request)


def kept():
    return list(GatewayEvent.objects.order_by("id").values_list("type", "outcome", "attempts", "error"))


def test_a_paid_checkout_is_credited(begun, customer, sandbox, deliver, news):
    sandbox.pay(begun.reference)
    assert deliver() == [200]
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)
    assert kept() == [(COMPLETED, "applied", 1, "")]
    assert news == ["payment_initiated", "payment_completed"]


def test_the_event_is_kept_as_it_came(begun, sandbox, deliver):
    sandbox.pay(begun.reference)
    deliver()
    (hook,) = sandbox.webhooks()
    event = GatewayEvent.objects.get()
    assert (event.gateway, event.event_id, event.payload) == (
        "stripe",
        json.loads(hook["body"])["id"],
        json.loads(hook["body"]),
    )
    assert (event.processed_at, event.next_attempt_at) == (event.received_at, None)


def test_a_duplicate_changes_nothing(begun, customer, sandbox, deliver, news):
    sandbox.pay(begun.reference, duplicate=True)
    assert deliver() == [200, 200]
    assert deliver() == [200, 200]
    assert (len(kept()), balance_of(user=customer).balance) == (1, 20_00)
    assert news.count("payment_completed") == 1


def test_the_webhook_after_the_return_changes_nothing(begun, customer, sandbox, deliver, news):
    sandbox.pay(begun.reference)
    services.settle(payment=begun, now=timezone.now())
    assert deliver() == [200]
    assert balance_of(user=customer).balance == 20_00
    assert kept() == [(COMPLETED, "applied", 1, "")]


def test_the_return_after_the_webhook_changes_nothing(begun, customer, sandbox, deliver):
    sandbox.pay(begun.reference)
    deliver()
    assert services.settle(payment=begun, now=timezone.now()).status == "completed"
    assert balance_of(user=customer).balance == 20_00


def test_a_late_expiry_does_not_undo_a_payment(begun, customer, sandbox, post):
    sandbox.pay(begun.reference)
    services.settle(payment=begun, now=timezone.now())
    answer = post(**signed(event_body("checkout.session.expired", session=begun.gateway_id)))
    assert (answer.status_code, Payment.objects.get().status) == (200, "completed")


def test_an_expired_checkout_expires_the_payment(begun, sandbox, deliver):
    sandbox.advance(7300)
    assert deliver() == [200]
    assert Payment.objects.get().status == "expired"


def test_a_slow_method_that_fails_in_the_end_fails_the_payment(begun, sandbox, deliver):
    sandbox.pay(begun.reference, "failed")
    assert deliver() == [200, 200]
    assert Payment.objects.get().status == "failed"


def test_a_slow_method_that_succeeds_in_the_end_completes_it(begun, customer, sandbox, deliver):
    sandbox.pay(begun.reference, "failed")
    deliver()
    sandbox.pay(begun.reference)
    deliver(only="async_payment_succeeded")
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)


def test_events_out_of_order_end_where_the_gateway_stands(begun, customer, sandbox, deliver):
    sandbox.pay(begun.reference, "failed")
    sandbox.pay(begun.reference)
    deliver(only="succeeded"), deliver(only="failed"), deliver(only="completed")
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("completed", 20_00)
    assert [outcome for _, outcome, _, _ in kept()] == ["applied"] * 3


def test_an_event_quicker_than_our_note_of_its_checkout_is_applied(begun, customer, sandbox, deliver):
    Payment.objects.update(gateway_id="", checkout_url="")
    sandbox.pay(begun.reference)
    deliver()
    payment = Payment.objects.get()
    assert (payment.status, payment.gateway_id) == ("completed", begun.gateway_id)
    assert balance_of(user=customer).balance == 20_00


def test_a_reference_does_not_move_a_payment_to_another_checkout(begun, customer, sandbox, post):
    post(**signed(event_body(session="cs_test_other", reference=begun.reference)))
    payment = Payment.objects.get()
    assert (payment.status, payment.gateway_id) == ("initiated", begun.gateway_id)
    assert kept() == [(COMPLETED, "", 1, "Unapplied: No payment of ours has the checkout cs_test_other.")]


def test_what_the_payload_says_was_paid_decides_nothing(begun, customer, post):
    """Signed or not: the gateway is asked, and it knows of no money."""
    body = event_body(session=begun.gateway_id, reference=begun.reference)
    body["data"]["object"] |= {"payment_status": "paid", "status": "complete", "amount_total": 500_00}
    assert post(**signed(body)).status_code == 200
    assert (Payment.objects.get().status, balance_of(user=customer).balance) == ("initiated", 0)
    sentence = f"Unapplied: The gateway still says that nobody has paid {begun.reference}."
    assert kept() == [(COMPLETED, "", 1, sentence)]


# --- who may speak


def test_a_wrong_signature_is_refused_and_nothing_is_kept(begun, sandbox, deliver):
    sandbox.pay(begun.reference, bad_signature=True)
    assert deliver() == [400]
    assert (kept(), Payment.objects.get().status) == ([], "initiated")


def test_the_refusal_is_a_sentence(post):
    answer = post(**signed(event_body(), secret="another"))
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "http://localhost:8000/help#bad_webhook",
        "title": "The webhook was refused",
        "status": 400,
        "detail": "The webhook's signature does not fit its body, or its time.",
        "code": "bad_webhook",
        "errors": {},
    }


@pytest.mark.parametrize("header", ["", "t=1", "v1=abc", "t=,v1=", "t=x,v1=abc", "nonsense", "t=1,v1=ÿ", "t=-1,v1=0"])
def test_a_malformed_signature_is_refused(post, header):
    request = signed(event_body()) | {"headers": {"Stripe-Signature": header}}
    assert post(**request).status_code == 400


def test_a_missing_signature_is_refused(post):
    assert post(data=b"{}", content_type="application/json").status_code == 400


def test_the_signature_is_over_the_raw_body(post):
    request = signed(event_body())
    assert post(**request | {"data": request["data"] + b" "}).status_code == 400


@pytest.mark.parametrize(("seconds", "status"), [(-310, 400), (-290, 200), (0, 200), (290, 200), (310, 400)], ids=str)
def test_a_signature_counts_for_five_minutes_both_ways(post, seconds, status):
    at = timezone.now() + timedelta(seconds=seconds)
    assert post(**signed(event_body("plan.created"), at=at)).status_code == status


def test_one_of_several_signatures_is_enough_while_the_secret_rotates(post):
    assert post(**signed(event_body("plan.created"), also="0" * 64)).status_code == 200


def test_no_secret_of_ours_fits_nothing(post, settings):
    request = signed(event_body(), secret="x")
    settings.STRIPE_WEBHOOK_SECRET = ""
    assert post(**request).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"[]",
        b"{}",
        b"\xff",
        b'{"id": "e", "type": "t"}',
        b'{"id": 5, "type": "t", "data": {"object": {}}}',
        b'{"id": "e", "type": "t", "data": {"object": {"n": NaN}}}',
        b'{"id": "e\\u0000", "type": "t", "data": {"object": {}}}',
        b'{"id": "e", "type": "checkout.session.completed", "data": {"object": {"object": "refund", "id": "re_1"}}}',
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(post, body):
    assert post(**signed(body)).status_code == 400
    assert kept() == []


def test_only_posts_are_answered(client):
    assert client.get("/webhooks/stripe").status_code == 405


# --- what can't be applied


def test_what_does_not_concern_us_is_kept_and_done_with(post):
    post(**signed(event_body("plan.created")))
    assert kept() == [("plan.created", "ignored", 1, "")]


@pytest.mark.parametrize("kind", ["refund.created", "refund.failed", "charge.dispute.created", "charge.dispute.closed"])
def test_refunds_and_disputes_wait_for_whoever_will_handle_them(post, kind):
    before = timezone.now()
    body = event_body(kind)
    body["data"]["object"] = {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}
    assert post(**signed(body)).status_code == 200
    event = GatewayEvent.objects.get()
    sentence = f"Refunds and disputes are not handled yet; this {kind} is kept until they are."
    assert (event.processed_at, event.outcome, event.error) == (None, "", sentence)
    assert event.next_attempt_at >= before + timedelta(days=1)


def test_an_unknown_checkout_is_kept_with_its_error_and_tried_again(post):
    now = timezone.now()
    post(**signed(event_body(session="cs_test_unknown")))
    event = GatewayEvent.objects.get()
    assert event.error == "Unapplied: No payment of ours has the checkout cs_test_unknown."
    assert now + timedelta(seconds=60) <= event.next_attempt_at <= timezone.now() + timedelta(seconds=60)


@pytest.mark.parametrize("fault", ["drop_after", "hang", "error_500", "html_502", "throttle_429", "unauthorized_401"])
def test_an_event_that_meets_a_silent_gateway_is_answered_kept_and_retried(begun, customer, sandbox, deliver, fault):
    sandbox.pay(begun.reference)
    sandbox.fault(FETCH, fault)
    assert deliver() == [200]
    event = GatewayEvent.objects.get()
    assert (event.processed_at, bool(event.error), balance_of(user=customer).balance) == (None, True, 0)
    assert services.retry_events(now=event.next_attempt_at) == 1
    assert (balance_of(user=customer).balance, kept()) == (20_00, [(COMPLETED, "applied", 2, "")])


def test_a_redelivery_waits_for_the_retry_as_well(begun, sandbox, deliver):
    sandbox.pay(begun.reference)
    sandbox.fault(FETCH, "error_500")
    deliver()
    deliver()
    assert [attempts for _, _, attempts, _ in kept()] == [1]


def test_an_error_of_ours_is_kept_and_visible_and_the_webhook_is_answered(begun, sandbox, deliver, monkeypatch):
    sandbox.pay(begun.reference)
    with monkeypatch.context() as broken:
        broken.setattr(events, "apply", lambda **_: 1 / 0)
        assert deliver() == [200]
    assert kept() == [(COMPLETED, "", 1, "ZeroDivisionError: division by zero")]
    services.retry_events(now=timezone.now() + timedelta(hours=1))
    assert kept() == [(COMPLETED, "applied", 2, "")]


def test_only_what_is_due_is_retried(sandbox):
    now = timezone.now()
    make_event(next_attempt_at=now + timedelta(seconds=1))
    make_event(next_attempt_at=None)
    make_event(processed_at=now, next_attempt_at=now)
    assert services.retry_events(now=now) == 0


def test_pauses_grow_and_after_twelve_attempts_staff_decide(sandbox):
    event, now, pauses = make_event(), timezone.now(), []
    while event.next_attempt_at:
        services.retry_events(now=now)
        event.refresh_from_db()
        pauses.append(event.next_attempt_at and round((event.next_attempt_at - now).total_seconds() / 60))
        now = event.next_attempt_at
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, None]
    assert (event.processed_at, event.error) == (
        None,
        "Unapplied: No payment of ours has the checkout cs_test_unknown.",
    )


def test_a_run_stops_asking_a_gateway_that_is_down(customer, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    for number in range(5):
        make_event(make_payment(customer, gateway_id=f"cs_{number}"))
    assert services.retry_events(now=timezone.now()) == 3


def test_staff_replay_what_was_given_up(begun, customer, sandbox):
    event = make_event(begun, next_attempt_at=None, attempts=12, error="…")
    sandbox.pay(begun.reference)
    replayed = services.replay_event(event_id=event.pk, now=timezone.now())
    assert (replayed.outcome, replayed.error, replayed.attempts) == ("applied", "", 1)
    assert balance_of(user=customer).balance == 20_00


def test_replaying_what_was_applied_credits_nothing(begun, customer, sandbox, deliver):
    sandbox.pay(begun.reference)
    deliver()
    services.replay_event(event_id=GatewayEvent.objects.get().pk, now=timezone.now())
    assert (balance_of(user=customer).balance, kept()) == (20_00, [(COMPLETED, "applied", 1, "")])


def test_an_event_that_is_not_there_can_not_be_replayed(db):
    with pytest.raises(NotFound):
        services.replay_event(event_id=0, now=timezone.now())


@pytest.mark.parametrize("half", ["\\ud83d", "\\ud83d\\ud83d!", "\\udc00"])
def test_an_event_with_half_a_character_in_a_name_is_kept_and_credited(begun, customer, sandbox, client, half):
    sandbox.pay(begun.reference)
    body = event_body(session=begun.gateway_id)
    body["data"]["object"]["customer_details"] = {"name": "NAME"}
    raw = json.dumps(body).replace("NAME", half).encode()
    assert client.post("/webhooks/stripe", **signed(raw)).status_code == 200
    assert (GatewayEvent.objects.get().outcome, balance_of(user=customer).balance) == ("applied", 20_00)


# --- numbers that PostgreSQL can't keep


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity", b"1" * 5_000])
def test_a_number_that_can_not_be_kept_is_a_bad_request(post, number):
    body = json.dumps(event_body()).encode()[:-1] + b', "amount": ' + number + b"}"
    answer = post(**signed(body))
    assert (answer.status_code, answer.json()["code"], kept()) == (400, "bad_webhook", [])


# --- giving up


def test_an_event_that_is_given_up_is_announced_once(sandbox):
    given_up = []

    def hear(event, **_kwargs):
        given_up.append((event.pk, event.error))

    gateway_event_given_up.connect(hear)
    try:
        event, now = make_event(), timezone.now()
        for _ in range(events.ATTEMPTS + 2):
            services.retry_events(now=now)
            now += timedelta(seconds=events.RETRIES.longest)
    finally:
        gateway_event_given_up.disconnect(hear)
    event.refresh_from_db()
    assert (event.attempts, event.next_attempt_at) == (events.ATTEMPTS, None)
    assert given_up == [(event.pk, "Unapplied: No payment of ours has the checkout cs_test_unknown.")]


# --- purging


def test_old_payloads_of_applied_events_are_deleted_and_others_kept(sandbox, settings):
    settings.PURGE_EVENTS_DAYS = 90
    now = timezone.now()
    old, young = now - timedelta(days=90, seconds=1), now - timedelta(days=89)
    purged, kept_young, not_applied = (
        make_event(received_at=old, processed_at=old, next_attempt_at=None),
        make_event(received_at=young, processed_at=young, next_attempt_at=None),
        make_event(received_at=old, next_attempt_at=None),
    )
    assert services.purge_events(now=now) == 1
    assert services.purge_events(now=now) == 0
    left = set(GatewayEvent.objects.filter(payload__isnull=False).values_list("pk", flat=True))
    assert left == {kept_young.pk, not_applied.pk}
    assert GatewayEvent.objects.filter(pk=purged.pk).exists()


def test_purging_goes_on_until_nothing_is_left(sandbox, monkeypatch):
    monkeypatch.setattr(purge, "_BATCH", 2)
    now, old = timezone.now(), timezone.now() - timedelta(days=91)
    for _ in range(5):
        make_event(received_at=old, processed_at=old, next_attempt_at=None)
    assert services.purge_events(now=now) == 5


def test_a_duplicate_of_a_purged_event_is_still_known(begun, customer, sandbox, post):
    sandbox.pay(begun.reference)
    body = event_body(session=begun.gateway_id)
    post(**signed(body))
    services.purge_events(now=timezone.now() + timedelta(days=91))
    assert post(**signed(body)).status_code == 200
    assert (GatewayEvent.objects.get().payload, balance_of(user=customer).balance) == (None, 20_00)


def test_a_purged_event_is_not_replayed_and_stays_applied(sandbox):
    old = timezone.now() - timedelta(days=91)
    event = make_event(received_at=old, processed_at=old, next_attempt_at=None, outcome="applied")
    services.purge_events(now=timezone.now())
    with pytest.raises(services.PayloadPurged, match="deleted after 90 days"):
        services.replay_event(event_id=event.pk, now=timezone.now())
    event.refresh_from_db()
    assert (event.processed_at, event.outcome) == (old, "applied")
