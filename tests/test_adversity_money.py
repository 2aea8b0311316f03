"""The money of one customer under everything at once, and the commands that prove it."""

from __future__ import annotations

import io
import json
import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import User
from activity.events import OF_TRANSACTION
from activity.models import Activity
from config.lib.errors.base import DomainError
from dev.sandbox.testing import ControlError, RunningSandbox
from notifications import catalog
from notifications.inbox import services as notifications
from notifications.models import Inbox, Notification
from payments import services as payments
from payments.models import Payment
from payments.services import check
from refunds.models import Refund
from tests.people import PASSWORD, customer
from verifications import services
from verifications.models import Status, Verification
from verifications.services import poll
from verifications.tests.factories import make_offer
from wallet.audit import audit
from wallet.models import Hold, Transaction, Wallet

pytestmark = [pytest.mark.django_db(transaction=True)]
InThreads = Callable[..., list[Any]]
SERVICES = ("test_pending", "test_success", "test_no_numbers")


@pytest.fixture
def shop(transactional_db: None, sandbox: RunningSandbox, settings: Any) -> RunningSandbox:
    settings.PROVIDER_TIMEOUT_SECONDS = 10
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{uuid4().hex}/.."
    poll._paused_until.clear()
    for name in SERVICES:
        make_offer(name)
    return sandbox


def assert_told(user: User) -> None:
    """Each journal row has its event, each event that is told its row in the inbox, without a gap."""
    of_money = {event.name for pair in OF_TRANSACTION.values() for event in pair}
    events = Activity.objects.filter(user=user)
    assert events.filter(event__in=of_money).count() == Transaction.objects.filter(wallet__user=user).count()
    told = [event for event in events.values_list("event", flat=True) if event in catalog.CATALOG]
    rows = Notification.objects.filter(user=user)
    inbox = Inbox.objects.get(user=user)
    assert sorted(rows.values_list("seq", flat=True)) == list(range(1, len(told) + 1))
    assert (inbox.seq, inbox.unread) == (
        len(told),
        rows.filter(read_at=None, archived_at=None, deleted_at=None).count(),
    )


def assert_refunded_once(user: User) -> None:
    ended = Verification.objects.filter(user=user, charged=True).exclude(
        status__in=[Status.REQUESTED, Status.WAITING, Status.COMPLETED]
    )
    refunds = Refund.objects.filter(user=user)
    assert Counter(refunds.values_list("verification_id", flat=True)) == Counter(ended.values_list("pk", flat=True))
    assert set(refunds.values_list("transaction__type", flat=True)) <= {"verification_refund"}


@pytest.mark.races
@pytest.mark.drill
@pytest.mark.parametrize("seed", [1, 2])
def test_everything_at_once_on_one_customer_neither_locks_up_nor_loses_a_cent(
    shop: RunningSandbox, in_threads: InThreads, settings: Any, seed: int
) -> None:
    settings.MAX_TOP_UPS_PER_HOUR = settings.MAX_CANCELS_PER_HOUR = settings.MAX_BUYS_PER_HOUR = 1000
    user, now = customer(cents=1000), timezone.now()
    ended_at = now + timedelta(seconds=911)
    for _ in range(4):
        services.buy(user=user, service_name="test_pending")
    notifications.cleanup(days=90, now=now)

    def mine(*states: str) -> list[Verification]:
        return list(Verification.objects.filter(user=user, status__in=states))

    def webhook_of_a_text(chance: random.Random) -> None:
        waiting = mine(Status.WAITING)
        if not waiting:
            return
        try:
            shop.sms(chance.choice(waiting).phone_number, f"{chance.randrange(100_000, 999_999)} is your code")
        except ControlError:
            return  # it ended in between
        hook = next(hook for hook in reversed(shop.webhooks()) if hook["vendor"] == "textverified")
        services.receive_webhook(provider="textverified", headers=hook["headers"], body=hook["body"].encode())

    def cancel(chance: random.Random) -> None:
        if found := mine(Status.REQUESTED, Status.WAITING):
            services.cancel(user=user, verification_id=chance.choice(found).pk)

    def top_up(_: random.Random) -> None:
        paid = payments.initiate(user=user, amount=5_00, now=timezone.now()).payment
        shop.pay(paid.reference)
        payments.settle(payment=Payment.objects.get(pk=paid.pk), now=timezone.now())

    def events(chance: random.Random) -> None:
        for hook in shop.webhooks():
            if hook["vendor"] == "stripe" and chance.random() < 0.5:
                payments.receive_webhook(
                    gateway="stripe", headers=hook["headers"], body=hook["body"].encode(), now=timezone.now()
                )

    deeds: list[Callable[[random.Random], object]] = [
        lambda chance: services.buy(user=user, service_name=chance.choice(SERVICES)),
        lambda chance: services.buy(user=user, service_name="test_pending", key=f"k{chance.randrange(3)}"),
        cancel,
        cancel,
        webhook_of_a_text,
        top_up,
        events,
        lambda _: services.poll_due(now=timezone.now() + timedelta(seconds=20)),
        lambda chance: services.expire_due(now=ended_at if chance.random() < 0.3 else timezone.now()),
        lambda _: services.recover_due(now=timezone.now() + timedelta(seconds=20)),
        lambda _: services.notify_progress(now=timezone.now() + timedelta(seconds=121)),
        lambda _: services.purge(now=timezone.now() + timedelta(hours=73)),
        lambda _: check.check_due(now=timezone.now() + timedelta(minutes=11)),
        lambda _: notifications.mark_read(user=user, all=True),
        lambda _: notifications.repair(now=timezone.now() + timedelta(minutes=2)),
    ]

    def worker(n: int) -> list[str]:
        chance, refused = random.Random(100 * seed + n), []
        for deed in chance.sample(deeds, len(deeds)):
            try:
                deed(chance)
            except DomainError as refusal:
                refused.append(refusal.code)
        return refused

    answers = in_threads([partial(worker, n) for n in range(8)])

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert {code for refusals in answers for code in refusals} <= {
        "in_progress",
        "out_of_stock",
        "over_limit",
        "insufficient_funds",
        "already_ended",
        "too_early",
        "provider_unavailable",
    }
    for wait in (60, 1000, 1200):  # what is under way comes to its end
        later = timezone.now() + timedelta(seconds=wait)
        services.recover_due(now=later)
        services.expire_due(now=later)
    assert mine(Status.REQUESTED, Status.WAITING) == []
    assert (audit().clean, Wallet.objects.get(user=user).held) == (True, 0)
    assert_balanced_with_top_ups(shop, user)
    assert_refunded_once(user)
    assert_told(user)


def assert_balanced_with_top_ups(shop: RunningSandbox, user: User) -> None:
    paid = Payment.objects.filter(user=user, status="completed")
    topped_up = Transaction.objects.filter(wallet__user=user, type="credit")
    assert sorted(topped_up.values_list("reference", flat=True)) == sorted(
        f"payment:{reference}" for reference in paid.values_list("reference", flat=True)
    )
    charges = [charge["reference"] for charge in shop.ledger()["charges"] if charge["status"] == "paid"]
    assert sorted(charges) == sorted(paid.values_list("reference", flat=True))
    charged = Verification.objects.filter(user=user, charged=True).count()
    assert Transaction.objects.filter(wallet__user=user, type="sms_purchase").count() == charged
    sold = {number["id"] for number in shop.ledger()["numbers"]}
    assert sold == set(Verification.objects.exclude(provider_id="").values_list("provider_id", flat=True))


# --- the sweep, far in the future


MONEY = ("wallet.Wallet", "wallet.Transaction", "wallet.Hold", "refunds.Refund", "payments.Payment")
TOLD = ("activity.Activity", "activity.Alert", "notifications.Notification", "notifications.Inbox")
LIVES = ("verifications.Verification", "verifications.Message", "payments.GatewayEvent")


def dump(*labels: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of these tables."""
    return {label: list(apps.get_model(label).objects.order_by("pk").values()) for label in labels}


@pytest.fixture
def a_day_of_everything(shop: RunningSandbox, settings: Any) -> User:
    """One of each: waiting, of unknown outcome, completed, cancelled, refused; topped up, unpaid, paid and not told."""
    settings.PROVIDER_TIMEOUT_SECONDS = 2
    user = customer(cents=1000)
    services.buy(user=user, service_name="test_pending")
    completed = services.buy(user=user, service_name="test_pending").verification
    shop.sms(completed.phone_number, "445566 is your code")
    services.poll_due(now=timezone.now() + timedelta(seconds=4))
    cancelled = services.buy(user=user, service_name="test_pending").verification
    services.cancel(user=user, verification_id=cancelled.pk)
    with pytest.raises(DomainError):
        services.buy(user=user, service_name="test_no_numbers")
    for _ in range(2):
        shop.fault(r"POST .*/v2/verifications$", "drop_after")
        services.buy(user=user, service_name="test_pending")
    shop.fault(r"POST .*/v2/verifications$", "drop_before")
    services.buy(user=user, service_name="test_pending")
    payments.initiate(user=user, amount=5_00, now=timezone.now())
    shop.pay(payments.initiate(user=user, amount=7_00, now=timezone.now()).payment.reference)
    return user


def sweep(now: datetime) -> str:
    out, errors = io.StringIO(), io.StringIO()
    call_command("sweep", "--now", now.isoformat(), stdout=out, stderr=errors)
    return errors.getvalue()


def test_a_sweep_three_days_on_ends_refunds_and_closes_everything_and_a_second_changes_nothing(
    shop: RunningSandbox, a_day_of_everything: User, caplog: pytest.LogCaptureFixture
) -> None:
    user, now = a_day_of_everything, timezone.now() + timedelta(days=3, hours=1)
    assert Verification.objects.filter(status=Status.REQUESTED).count() == 3

    # The numbers of unclear orders are told apart, and go back, one turn of recovery after the other.
    assert [sweep(now + timedelta(seconds=30 * turn)) for turn in range(4)] == [""] * 4

    states = Counter(Verification.objects.values_list("status", flat=True))
    assert states == {Status.TIMED_OUT: 1, Status.COMPLETED: 1, Status.CANCELLED: 1, Status.FAILED: 4}
    assert Counter(Payment.objects.values_list("status", flat=True)) == {"expired": 1, "completed": 1}
    assert Wallet.objects.values_list("balance", "held").get() == (1000 - 50 + 700, 0)
    assert Hold.objects.filter(status="active").count() == 0
    assert {m.text for v in Verification.objects.filter(status=Status.COMPLETED) for m in v.messages.all()} == {""}
    assert [record for record in caplog.records if record.levelno >= logging.ERROR and record.exc_info] == []
    assert_refunded_once(user)
    assert_told(user)
    assert_balanced_numbers(shop)

    before = dump(*MONEY, *TOLD, *LIVES)
    assert sweep(now + timedelta(seconds=120)) == ""
    assert dump(*MONEY, *TOLD, *LIVES) == before
    assert audit().clean


def assert_balanced_numbers(shop: RunningSandbox) -> None:
    live = {n["id"] for n in shop.ledger()["numbers"] if n["state"] in ("verificationPending", "verificationCompleted")}
    assert live == set(Verification.objects.filter(status=Status.COMPLETED).values_list("provider_id", flat=True))


# --- what proves it


def command(name: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """(exit code, the JSON document)"""
    out = io.StringIO()
    try:
        call_command(name, *arguments, "--json", stdout=out)
    except CommandError as error:
        return error.returncode, json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


RECONCILERS = ("reconcile_refunds", "reconcile_payments", "reconcile_provider")


def test_each_command_finds_its_fault_a_dry_run_changes_nothing_and_a_second_execution_finds_nothing(
    shop: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifications.services.reconcile.SETTLED_AFTER", timedelta(0))
    user = customer(cents=1000)
    unrefunded = services.buy(user=user, service_name="test_pending").verification
    providers_number = services.buy(user=user, service_name="test_pending").verification
    shop.pay(payments.initiate(user=user, amount=7_00, now=timezone.now()).payment.reference)
    Verification.objects.filter(pk=unrefunded.pk).update(
        status=Status.TIMED_OUT, ended_at=timezone.now() - timedelta(minutes=5), next_poll_at=None
    )
    services.cancel(user=user, verification_id=providers_number.pk)
    shop.fault(r"POST .*/v2/verifications$", "drop_after")
    lost = services.buy(user=user, service_name="test_pending").verification
    with connection.cursor() as cursor:  # as if its own rows had been lost
        cursor.execute(
            "UPDATE verifications_verification SET status = 'failed', ended_at = now(),"
            " next_recovery_at = NULL WHERE id = %s",
            [lost.pk],
        )
        cursor.execute(
            "UPDATE wallet_hold SET status = 'released', resolved_at = now() WHERE reference = %s",
            [lost.hold_reference],
        )
        cursor.execute("UPDATE wallet_wallet SET held = 0")
    everything = [model._meta.label for model in apps.get_models() if model._meta.managed]

    before, numbers = dump(*everything), shop.ledger()["numbers"]
    dry = {name: command(name, "--dry-run") for name in RECONCILERS}
    assert {name: (code, report["found"], report["amount"]) for name, (code, report) in dry.items()} == {
        "reconcile_refunds": (1, 1, "0.50"),
        "reconcile_payments": (1, 1, "7.00"),
        "reconcile_provider": (1, 2, "0.50"),
    }
    assert {row["problem"] for row in dry["reconcile_provider"][1]["rows"]} == {"orphan", "left_open"}
    assert (dump(*everything), shop.ledger()["numbers"]) == (before, numbers)

    for name in RECONCILERS:
        assert command(name, "--execute")[0] == 1
    assert {name: command(name, "--execute")[0] for name in RECONCILERS} == dict.fromkeys(RECONCILERS, 0)
    assert command("verify_wallets")[0] == 0
    assert Wallet.objects.values_list("balance", "held").get() == (1700, 0)
    assert_refunded_once(user)
    assert_told(user)


# --- what is written down


@pytest.fixture
def written() -> Iterator[list[str]]:
    """Everything that any logger says at INFO and above, with all that it carries."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            carried = {key: value for key, value in vars(record).items() if key not in ("args", "exc_info")}
            trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            lines.append(f"{record.getMessage()} {carried!r} {trace}")

    keeper, root = Keep(level=logging.INFO), logging.getLogger()
    was = root.level
    root.addHandler(keeper)
    root.setLevel(logging.INFO)
    yield lines
    root.removeHandler(keeper)
    root.setLevel(was)


def test_no_code_text_number_key_or_secret_is_logged_on_a_whole_journey(
    shop: RunningSandbox, written: list[str], settings: Any, client: Client
) -> None:
    user = customer(cents=1000)
    out = io.StringIO()
    call_command("create_api_key", user.email, "--name", "journey", stdout=out)
    secret = out.getvalue().strip()
    bearer = {"Authorization": f"Bearer {secret}"}

    def call(path: str, **body: Any) -> Any:
        return client.post(path, json.dumps(body), content_type="application/json", headers=bearer)

    bought = [call("/api/v1/verify/create", service_name="test_pending").json() for _ in range(4)]
    phones = [one["phone_number"] for one in bought]
    shop.sms(phones[0], "Der Code lautet 445566, bitte nicht weitergeben")
    for hook in shop.webhooks():
        client.post("/webhooks/textverified", hook["body"], content_type="application/json", headers=hook["headers"])
    client.post("/webhooks/textverified", shop.webhooks()[0]["body"], content_type="application/json")  # unsigned
    shop.sms(phones[1], "Der Code lautet 778899, bitte nicht weitergeben")
    services.poll_due(now=timezone.now() + timedelta(seconds=4))
    shop.fault(r"POST .*/cancel$", "error_500")
    call(f"/api/v1/verify/{bought[2]['id']}/cancel")
    services.recover_due(now=timezone.now() + timedelta(minutes=1))
    shop.fault(r"GET .*/verifications/", "html_502", times=3)
    services.expire_due(now=timezone.now() + timedelta(hours=1))
    for fault in ("drop_after", "error_500", "throttle_429", "unauthorized_401"):
        shop.fault(r"POST .*/v2/verifications$", fault)
        call("/api/v1/verify/create", service_name="test_pending")
    payment = call("/api/payments/initialize", amount="20.00").json()
    shop.pay(payment["reference"])
    call(f"/api/payments/{payment['reference']}/verify")
    for hook in shop.webhooks():
        if hook["vendor"] == "stripe":
            client.post("/webhooks/stripe", hook["body"], content_type="application/json", headers=hook["headers"])
    client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    client.post("/account/login/", {"login": user.email, "password": "a-wrong-one-42"})

    assert (Verification.objects.filter(status=Status.COMPLETED).count(), len(set(phones))) == (2, 4)
    assert len(written) > 10
    secrets = {
        "codes": r"445566|778899",
        "text": r"Der Code|weitergeben",
        "phone": "|".join(re.escape(phone[-10:]) for phone in phones),
        "key": re.escape(secret),
        "password": f"{PASSWORD}|a-wrong-one-42",
        "ours": "|".join(
            re.escape(value)
            for value in (
                settings.TEXTVERIFIED_API_KEY,
                settings.TEXTVERIFIED_WEBHOOK_SECRET,
                settings.STRIPE_SECRET_KEY,
                settings.STRIPE_WEBHOOK_SECRET,
                settings.SECRET_KEY,
                *settings.FIELD_ENCRYPTION_KEYS,
            )
        ),
        "bearer": r"eyJh\w{10}",
    }
    assert {what: [line for line in written if re.search(secret, line)] for what, secret in secrets.items()} == {
        what: [] for what in secrets
    }
    shown = [repr(row) + str(row) for label in (*MONEY, *TOLD, *LIVES) for row in apps.get_model(label).objects.all()]
    hidden = "|".join(secrets[what] for what in ("codes", "text", "phone", "key"))
    assert [line for line in shown if re.search(hidden, line)] == []


# --- keys


def test_one_key_names_a_purchase_a_top_up_and_another_customers_purchase_apart(shop: RunningSandbox) -> None:
    here, there = customer(cents=1000), customer(cents=1000)
    key = "K-1"
    mine = services.buy(user=here, service_name="test_pending", key=key)
    others = services.buy(user=there, service_name="test_pending", key=key)
    paid = payments.initiate(user=here, amount=5_00, key=key, now=timezone.now())
    assert (mine.replayed, others.replayed, paid.replayed) == (False, False, False)
    assert mine.verification.pk != others.verification.pk
    for user in (here, there):
        assert_balanced_of_one(user)


def assert_balanced_of_one(user: User) -> None:
    assert Wallet.objects.get(user=user).balance == 950


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("x" * 255, 201),
        ("x" * 256, 400),
        ("with space", 201),
        ("%00\\'\"; drop", 201),
        ("clé", 400),
        ("\ud83d", 400),
        ("a\u0000b", 400),
        ("tab\there", 400),
    ],
)
def test_odd_keys_are_taken_as_they_are_or_refused_and_never_half(
    shop: RunningSandbox, client: Client, key: str, status: int
) -> None:
    user = customer(cents=1000)
    out = io.StringIO()
    call_command("create_api_key", user.email, "--name", "odd", stdout=out)
    body = json.dumps({"service_name": "test_pending", "idempotency_key": key})

    def create() -> int:
        answer = client.post(
            "/api/v1/verify/create",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {out.getvalue().strip()}"},
        )
        return answer.status_code

    assert (create(), create()) == (status, {201: 200}.get(status, status))
    assert Verification.objects.count() == (status == 201)


def test_the_key_of_a_refused_purchase_answers_with_the_refusal_and_buys_nothing(shop: RunningSandbox) -> None:
    user = customer(cents=1000)
    shop.fault(r"POST .*/v2/verifications$", "throttle_429")
    with pytest.raises(DomainError):
        services.buy(user=user, service_name="test_pending", key="k")
    again = services.buy(user=user, service_name="test_pending", key="k")
    assert (again.replayed, again.verification.status, shop.ledger()["numbers"]) == (True, Status.FAILED, [])
    assert Wallet.objects.values_list("balance", "held").get(user=user) == (1000, 0)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/verify/create", {"service_name": "\ud83d"}),
        ("/api/payments/initialize", {"amount": "20.00", "gateway": "\ud83d"}),
        ("/api/payments/initialize", {"amount": "20.00", "\ud83d": ""}),
    ],
)
def test_half_a_character_in_a_request_is_refused_and_writes_nothing(
    shop: RunningSandbox, client: Client, path: str, body: dict[str, str]
) -> None:
    user = customer(cents=1000)
    out = io.StringIO()
    call_command("create_api_key", user.email, "--name", "odd", stdout=out)
    headers = {"Authorization": f"Bearer {out.getvalue().strip()}"}
    answer = client.post(path, json.dumps(body), content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert (Verification.objects.count(), Payment.objects.count()) == (0, 0)
