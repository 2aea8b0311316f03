"""The provider's book against ours."""

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from accounts.tests.factories import make_user
from config.lib.remote.errors import RemoteError
from verifications import providers, services, signals, tasks
from verifications.models import Status, Verification
from verifications.providers.base import PriceMoved, Spec
from verifications.tests.factories import make_service

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=5)


@pytest.fixture
def provider(sandbox, settings):
    settings.PROVIDER_TIMEOUT_SECONDS = 2
    return providers.current()


@pytest.fixture
def alarms():
    news = []

    def hear(**kwargs):
        news.append((kwargs["provider"], kwargs["provider_id"], kwargs["details"]["action"]))

    signals.provider_orphan_found.connect(hear)
    yield news
    signals.provider_orphan_found.disconnect(hear)


def sold(provider, key="k1", service="test_pending"):
    return provider.purchase(Spec(service), key=key)


def owned(number, status=Status.WAITING, **fields):
    """The verification that has a number."""
    now = timezone.now()
    is_open = status in (Status.REQUESTED, Status.WAITING)
    return Verification.objects.create(
        **{
            "user": make_user(),
            "service": make_service(number.service),
            "country": "US",
            "price": 50,
            "cost": number.cost,
            "currency": "USD",
            "status": status,
            "charged": status != Status.REQUESTED,
            "provider": "textverified",
            "provider_id": number.provider_id,
            "ended_at": None if is_open else now,
            **fields,
        }
    )


def requested(service="test_pending", **fields):
    return Verification.objects.create(
        user=make_user(),
        service=make_service(service),
        country="US",
        price=50,
        currency="USD",
        provider="textverified",
        **fields,
    )


def reconcile(*, execute=False, after=LATER):
    now = datetime.now(UTC) + after
    return services.reconcile_provider(since=now - timedelta(days=2), now=now, execute=execute)


def found(report):
    return [(row["provider_id"], row["problem"], row["action"]) for row in report.rows]


def states(sandbox):
    return [row["state"] for row in sandbox.ledger()["numbers"]]


def test_numbers_that_we_have_are_as_they_should_be(provider):
    owned(sold(provider))
    report = reconcile()
    assert (report.clean, report.checked) == (True, 1)


def test_a_number_that_nobody_owns_is_found_and_left_alone_in_a_dry_run(provider, sandbox, alarms):
    number = sold(provider)
    report = reconcile()
    assert found(report) == [(number.provider_id, "orphan", "would cancel")]
    assert report.amount == 25
    assert states(sandbox) == ["verificationPending"]
    assert alarms == []


def test_a_number_that_nobody_owns_is_cancelled_and_told(provider, sandbox, alarms):
    number = sold(provider)
    report = reconcile(execute=True)
    assert found(report) == [(number.provider_id, "orphan", "cancelled")]
    assert (report.found, report.mended) == (1, 1)
    assert states(sandbox) == ["verificationCanceled"]
    assert alarms == [("textverified", number.provider_id, "cancelled")]
    assert reconcile(execute=True).clean


def test_a_number_that_brought_a_code_to_nobody_is_told_and_cannot_be_given_back(provider, sandbox, alarms):
    number = sold(provider)
    sandbox.sms(number.phone_number, "Your code is 123456")
    report = reconcile(execute=True)
    assert found(report) == [(number.provider_id, "orphan", "ended")]
    assert report.mended == 0
    assert alarms == [("textverified", number.provider_id, "ended")]


def test_a_number_that_cannot_be_cancelled_yet_is_found_again(provider, sandbox):
    sandbox.settings(cancel_lock_seconds=100)
    number = sold(provider)
    ((_, problem, action),) = found(reconcile(execute=True))
    assert (problem, action.rpartition(" in ")[0]) == ("orphan", "too early:")
    sandbox.advance(101)
    assert found(reconcile(execute=True)) == [(number.provider_id, "orphan", "cancelled")]


def test_a_cancel_without_an_answer_is_not_called_done(provider, sandbox):
    number = sold(provider)
    sandbox.fault("/cancel$", "drop_before")
    assert found(reconcile(execute=True)) == [(number.provider_id, "orphan", "not cancelled: OutcomeUnknown")]
    assert found(reconcile(execute=True)) == [(number.provider_id, "orphan", "cancelled")]


def test_a_sale_of_the_last_two_minutes_is_still_being_written_down(provider):
    sold(provider)
    assert reconcile(after=timedelta(seconds=110)).clean


def test_an_order_whose_outcome_is_unknown_may_own_one_number(provider):
    requested()
    numbers = [sold(provider, key=key) for key in ("k1", "k2")]
    report = reconcile()
    assert len(found(report)) == 1
    assert found(report)[0][0] in {number.provider_id for number in numbers}


def test_an_order_that_is_given_up_on_but_still_looked_for_may_own_one_too(provider):
    now = timezone.now()
    requested(status=Status.FAILED, ended_at=now, next_recovery_at=now)
    sold(provider)
    assert reconcile().clean


@pytest.mark.parametrize(
    "fields",
    [
        {"service": "test_success"},
        {"created_at": timezone.now() + timedelta(hours=1)},
    ],
)
def test_an_order_of_another_service_or_a_later_time_does_not_own_it(provider, fields):
    requested(**fields)
    sold(provider)
    assert len(found(reconcile())) == 1


def test_a_number_that_ended_here_and_runs_on_there_is_given_back(provider, sandbox):
    number = sold(provider)
    owned(number, Status.TIMED_OUT)
    report = reconcile(execute=True)
    assert found(report) == [(number.provider_id, "left_open", "cancelled")]
    assert states(sandbox) == ["verificationCanceled"]


def test_a_number_that_recovery_is_giving_back_is_left_to_it(provider):
    owned(sold(provider), Status.TIMED_OUT, next_recovery_at=timezone.now())
    assert reconcile(execute=True).clean


def test_another_cost_than_we_wrote_down_is_found(provider):
    number = sold(provider)
    owned(number, cost=Decimal("0.20"))
    assert found(reconcile()) == [(number.provider_id, "cost", "ours says 0.20")]


def test_a_number_that_they_do_not_list_is_found(provider):
    number = sold(provider)
    owned(number)
    missing = owned(number, provider_id="lr_nowhere")
    assert found(reconcile()) == [(missing.provider_id, "missing", "look at it")]


def test_a_book_that_cannot_be_read_changes_nothing(provider, sandbox):
    sold(provider)
    sandbox.fault(r"GET \S+/verifications$", "error_500", times=2)
    with pytest.raises(RemoteError):
        reconcile(execute=True)
    assert states(sandbox) == ["verificationPending"]


def run(*arguments):
    out = io.StringIO()
    code = 0
    try:
        call_command("reconcile_provider", *arguments, stdout=out)
    except CommandError as error:
        code = error.returncode
    return code, out.getvalue()


def test_the_command_is_quiet_and_content_where_the_books_agree(provider):
    owned(sold(provider))
    code, out = run("--days", "2", "--dry-run")
    assert (code, out) == (
        0,
        "0 off, 0 would be mended (dry run: nothing was changed), $0.00 in all.\n",
    )


def test_the_command_prints_a_table_and_exits_1_where_something_is_off(provider, monkeypatch):
    number = sold(provider)
    monkeypatch.setattr("verifications.services.reconcile.SETTLED_AFTER", timedelta(0))
    code, out = run("--days", "2", "--dry-run")
    assert code == 1
    header, _, row, total = out.splitlines()
    assert header.split() == ["provider_id", "service", "sold_at", "state", "cost", "problem", "action"]
    assert row.split()[:2] == [number.provider_id, "test_pending"]
    assert total == "1 off, 1 would be mended (dry run: nothing was changed), $0.25 in all."


def test_the_command_speaks_json(provider, monkeypatch):
    sold(provider)
    monkeypatch.setattr("verifications.services.reconcile.SETTLED_AFTER", timedelta(0))
    code, out = run("--execute", "--json")
    document = json.loads(out)
    assert (code, document["found"], document["mended"], document["executed"], document["amount"]) == (
        1,
        1,
        1,
        True,
        "0.25",
    )


def test_the_command_wants_to_know_whether_to_mend(provider):
    with pytest.raises(CommandError):
        call_command("reconcile_provider")


def test_a_number_still_being_given_back_hides_no_orphan(provider):
    """Whose number is known accounts for no other of the same service."""
    mine, orphan = sold(provider), sold(provider, key="k2")
    owned(mine, Status.FAILED, charged=False, next_recovery_at=timezone.now(), created_at=mine.created_at)
    assert found(reconcile()) == [(orphan.provider_id, "orphan", "would cancel")]


# --- costs finer than a cent


def test_costs_keep_four_decimals_from_the_quote_to_the_report(provider, sandbox):
    sandbox.settings(costs={"test_pending": "0.0375"})
    quoted = provider.quote(Spec("test_pending")).cost
    bought = provider.purchase(Spec("test_pending", max_cost=quoted), key="k1")
    row = owned(bought)
    row.refresh_from_db()
    assert quoted == bought.cost == row.cost == Decimal("0.0375")
    assert sandbox.ledger()["numbers"][0]["cost"] == "0.0375"
    assert reconcile().clean

    Verification.objects.all().delete()
    provider.purchase(Spec("test_pending"), key="k2")
    report = reconcile()
    assert [shown["cost"] for shown in report.rows] == ["0.0375", "0.0375"]
    assert (report.as_dict()["amount"], report.amount) == ("0.075", Decimal("7.5"))


def test_a_cost_a_ten_thousandth_above_the_limit_is_refused(provider, sandbox):
    sandbox.settings(costs={"test_pending": "0.0375"})
    with pytest.raises(PriceMoved):
        provider.purchase(Spec("test_pending", max_cost=Decimal("0.0374")), key="k1")


# --- each night


def nightly():
    return services.reconcile_nightly(now=datetime.now(UTC) + LATER)


@pytest.fixture
def told():
    news = []

    def hear(**kwargs):
        news.append((kwargs["provider"], kwargs["report"], kwargs["error"]))

    signals.provider_compared.connect(hear)
    yield news
    signals.provider_compared.disconnect(hear)


def test_each_night_staff_are_told_what_was_found_and_nothing_is_given_back(provider, sandbox, told):
    number = sold(provider)
    report = nightly()
    assert (report.found, report.mended) == (1, 1)
    assert states(sandbox) == ["verificationPending"]
    [(name, news, error)] = told
    assert (name, news["amount"], error) == ("textverified", "0.25", "")
    assert [(row["provider_id"], row["problem"]) for row in news["rows"]] == [(number.provider_id, "orphan")]


def test_where_nobody_else_buys_the_night_gives_back_what_nobody_owns(provider, sandbox, settings, told):
    settings.PROVIDER_ACCOUNT_EXCLUSIVE = True
    sold(provider)
    nightly()
    assert states(sandbox) == ["verificationCanceled"]
    assert [row["action"] for row in told[0][1]["rows"]] == ["cancelled"]


def test_a_night_without_a_difference_tells_nobody(provider, told):
    owned(sold(provider))
    assert nightly().clean
    assert told == []


def test_a_night_in_which_their_book_can_not_be_read_is_told(provider, sandbox, told):
    sandbox.fault("GET .*/verifications$", "html_4xx")
    assert nightly() is None
    assert told == [("textverified", {}, "Unavailable")]


def test_the_night_is_on_beat_s_schedule(provider, sandbox):
    sold(provider)
    entry = next(
        row for row in settings.CELERY_BEAT_SCHEDULE.values() if row["task"] == "verifications.tasks.reconcile_provider"
    )
    assert str(entry["schedule"]).startswith("<crontab: 40 3 ")
    tasks.reconcile_provider()
    assert states(sandbox) == ["verificationPending"]


def test_rows_of_theirs_that_can_not_be_read_are_counted(provider, sandbox):
    sold(provider)
    sandbox.settings(state_words={"verificationPending": None})
    report = reconcile()
    assert [(row["problem"], row["action"]) for row in report.rows] == [
        ("unreadable", "look at it: 1 rows can't be read")
    ]


def test_a_number_in_a_state_that_we_do_not_know_is_left_for_a_person(provider, sandbox):
    number = sold(provider)
    sandbox.settings(state_words={"verificationPending": "verificationParked"})
    assert found(reconcile(execute=True)) == [(number.provider_id, "orphan", "look at it")]
    assert states(sandbox) == ["verificationPending"]
