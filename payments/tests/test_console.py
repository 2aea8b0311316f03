"""What staff and the clock do: admin, tasks, the command."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tests.factories import make_user
from payments import tasks
from payments.models import GatewayEvent, Payment
from payments.tests.factories import make_event, make_payment

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def act(client, model, action, *rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    answer = client.post(f"/admin/payments/{model}/", data, follow=True)
    return [str(message) for message in answer.context["messages"]]


@pytest.mark.parametrize("model", ["payment", "gatewayevent"])
def test_staff_see_and_change_nothing(staff, begun, model):
    row = begun if model == "payment" else make_event(begun)
    page = f"/admin/payments/{model}/"
    assert [staff.get(path).status_code for path in (page, f"{page}{row.pk}/change/", f"{page}add/")] == [200, 200, 403]
    assert staff.post(f"{page}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_payment_says_what_it_is_in_dollars(staff, begun):
    Payment.objects.filter(pk=begun.pk).update(
        amount=9_876_543_21, mismatch={"paid_amount": "20.00", "paid_currency": "EUR"}
    )
    page = staff.get(f"/admin/payments/payment/{begun.pk}/change/").content.decode()
    assert ("$9,876,543.21" in page, "€20.00" in page, "987654321" in page) == (True, True, False)


@pytest.mark.parametrize(("query", "found"), [("ada", 1), ("A@EXAMPLE", 1), ("eve", 0)])
def test_payments_are_found_by_a_part_of_the_address(staff, query, found):
    make_payment(user=make_user("ada@example.test"))
    answer = staff.get("/admin/payments/payment/", {"q": query})
    assert answer.context["cl"].result_count == found


@pytest.mark.parametrize("filters", ["handled=no", "handled=stuck", "handled=yes", "q=evt_1"])
def test_staff_find_events_that_were_not_applied(staff, filters):
    make_event()
    assert staff.get(f"/admin/payments/gatewayevent/?{filters}").status_code == 200


def test_staff_replay_an_event(staff, begun, sandbox):
    event = make_event(begun, next_attempt_at=None)
    sandbox.pay(begun.reference)
    assert act(staff, "gatewayevent", "replay", event) == [f"{event.event_id}: Applied"]
    assert Payment.objects.get().status == "completed"


def test_staff_are_told_that_a_purged_event_can_not_be_replayed(staff, sandbox):
    event = make_event(processed_at=timezone.now(), next_attempt_at=None)
    GatewayEvent.objects.update(payload=None)
    assert act(staff, "gatewayevent", "replay", event) == [
        "The content of this event was deleted after 90 days. Ask the gateway about the payment instead."
    ]


def test_staff_are_told_why_a_replay_did_not_work(staff, sandbox):
    event = make_event()
    said = f"{event.event_id}: Unapplied: No payment of ours has the checkout cs_test_unknown."
    assert act(staff, "gatewayevent", "replay", event) == [said]


def test_staff_ask_the_gateway(staff, begun, sandbox):
    sandbox.pay(begun.reference)
    assert act(staff, "payment", "ask_gateway", begun) == [f"{begun.reference}: Completed"]


def test_staff_are_told_that_the_gateway_is_silent(staff, begun, sandbox):
    sandbox.fault("GET", "error_500")
    (said,) = act(staff, "payment", "ask_gateway", begun)
    assert said.startswith(f"{begun.reference}: The payment gateway isn't responding right now.")


@pytest.mark.parametrize("model", ["payment", "gatewayevent"])
def test_a_list_costs_the_same_queries_whatever_its_length(staff, customer, model):
    def rows(number):
        for _ in range(number):
            make_event(make_payment(customer, gateway_id=uuid4().hex))
        with CaptureQueriesContext(connection) as queries:
            staff.get(f"/admin/payments/{model}/")
        return len(queries)

    rows(0)
    assert rows(1) == rows(2)


def test_the_scheduled_tasks_are_these(begun, sandbox):
    names = {task["task"] for task in settings.CELERY_BEAT_SCHEDULE.values()}
    ours = {tasks.check_payments.name, tasks.retry_gateway_events.name, tasks.purge_gateway_events.name}
    assert ours <= names


def test_the_tasks_do_what_is_due(begun, sandbox):
    sandbox.pay(begun.reference)
    Payment.objects.update(next_check_at=timezone.now())
    event = make_event(begun)
    assert (tasks.check_payments(), tasks.retry_gateway_events()) == (1, 1)
    assert (Payment.objects.get().status, GatewayEvent.objects.get(pk=event.pk).outcome) == ("completed", "applied")


def run(*arguments):
    out = StringIO()
    try:
        call_command("reconcile_payments", *arguments, stdout=out)
    except CommandError as failed:
        return failed.returncode, out.getvalue()
    return 0, out.getvalue()


def test_the_command_finds_a_difference_and_a_dry_run_changes_nothing(begun, sandbox):
    sandbox.pay(begun.reference)
    code, out = run("--dry-run", "--json")
    assert (code, json.loads(out)["found"], Payment.objects.get().status) == (1, 1, "initiated")


def test_the_command_mends_it_and_then_finds_nothing(begun, sandbox):
    sandbox.pay(begun.reference)
    assert (run("--execute")[0], Payment.objects.get().status, run("--execute")[0]) == (1, "completed", 0)


def test_the_command_looks_back_as_far_as_it_is_told(customer, sandbox):
    make_payment(customer, gateway_id="cs_old", age=timedelta(days=40))
    assert json.loads(run("--dry-run", "--json", "--days", "30")[1])["checked"] == 0
