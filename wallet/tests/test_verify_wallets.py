"""verify_wallets finds each kind of fault, planted past every guard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from accounts.tests.factories import make_user
from wallet import services
from wallet.audit import CHECKS, audit
from wallet.models import Hold, Transaction, Wallet
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db

SUM, LAST, GAP, VERSION, CHAIN, HELD, CAPTURED, REVERSED = (check.name for check in CHECKS)


@pytest.fixture
def user() -> User:
    """A customer with $9.00: a bonus, a purchase that was refunded, a purchase, and a hold under way."""
    user = make_user()
    funded(user, 1000)
    hold = services.hold(user=user, amount=200, reference="verification:1", description="x")
    charged = services.capture(hold=hold.reference, user=user, type="sms_purchase")
    services.reverse(
        transaction=charged.reference, user=user, type="verification_refund", reference="refund:1", description="x"
    )
    hold = services.hold(user=user, amount=100, reference="verification:2", description="x")
    services.capture(hold=hold.reference, user=user, type="sms_purchase")
    services.hold(user=user, amount=300, reference="verification:3", description="x")
    return user


@contextmanager
def past_the_guards() -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE wallet_transaction DISABLE TRIGGER USER")
        yield cursor
        cursor.execute("ALTER TABLE wallet_transaction ENABLE TRIGGER USER")


def plant(sql: str) -> None:
    with past_the_guards() as cursor:
        cursor.execute(sql)


def faults() -> dict[str, list[dict[str, Any]]]:
    return {report.name: report.rows for report in audit().checks if not report.clean}


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify_wallets", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def test_books_in_order_are_clean_and_the_trial_balances(user: User) -> None:
    funded(make_user(), 50)
    services.wallet_of(user=make_user())
    code, text = run("--json")
    report = json.loads(text)
    assert (code, report["clean"], report["wallets"], report["rows"]) == (0, True, 3, 5)
    assert [(check["name"], check["found"]) for check in report["checks"]] == [(check.name, 0) for check in CHECKS]
    assert report["trial_balance"] == {
        "counterparties": {"promotions": "10.50", "sales": "-1.00"},
        "journal": "9.50",
        "liability": "9.50",
        "difference": "0.00",
    }


def test_no_wallets_at_all_are_clean() -> None:
    assert run()[0] == 0


def test_a_balance_that_its_rows_do_not_add_up_to(user: User) -> None:
    plant("UPDATE wallet_wallet SET balance = balance + 7")
    wallet = user.wallet.pk
    assert faults() == {
        SUM: [{"wallet": wallet, "where": "balance", "expected": "9.00", "found": "9.07"}],
        LAST: [{"wallet": wallet, "where": "row 4", "expected": "9.00", "found": "9.07"}],
    }
    assert audit().trial.difference == 7
    assert not audit().clean


def test_a_last_row_that_says_another_balance(user: User) -> None:
    plant("UPDATE wallet_transaction SET balance_after = 901 WHERE sequence = 4")
    wallet = user.wallet.pk
    assert faults() == {
        LAST: [{"wallet": wallet, "where": "row 4", "expected": "9.01", "found": "9.00"}],
        CHAIN: [{"wallet": wallet, "where": "verification:2:capture", "expected": "9.00", "found": "9.01"}],
    }


def test_a_running_balance_broken_in_the_middle(user: User) -> None:
    plant("UPDATE wallet_transaction SET balance_after = 999 WHERE sequence = 3")
    wallet = user.wallet.pk
    assert faults() == {
        CHAIN: [
            {"wallet": wallet, "where": "refund:1", "expected": "10.00", "found": "9.99"},
            {"wallet": wallet, "where": "verification:2:capture", "expected": "8.99", "found": "9.00"},
        ],
    }


def test_an_amount_that_was_changed(user: User) -> None:
    plant("UPDATE wallet_transaction SET amount = 1001 WHERE sequence = 1")
    assert list(faults()) == [SUM, CHAIN]


def test_a_row_that_is_gone(user: User) -> None:
    plant("DELETE FROM wallet_transaction WHERE sequence = 4")
    wallet = user.wallet.pk
    found = faults()
    assert list(found) == [SUM, LAST, VERSION, CAPTURED]
    assert found[VERSION] == [{"wallet": wallet, "where": "version", "expected": "3", "found": "4"}]


def test_a_gap_in_the_sequence(user: User) -> None:
    plant("UPDATE wallet_transaction SET sequence = 5 WHERE sequence = 4")
    plant("UPDATE wallet_wallet SET version = 5")
    assert faults() == {GAP: [{"wallet": user.wallet.pk, "where": "row 5", "expected": "4", "found": "5"}]}


def test_a_sequence_that_does_not_begin_at_one(user: User) -> None:
    plant("UPDATE wallet_transaction SET sequence = 0 WHERE sequence = 1")
    found = faults()
    assert list(found) == [GAP]
    assert [row["found"] for row in found[GAP]] == ["0", "2"]


def test_a_version_of_its_own(user: User) -> None:
    plant("UPDATE wallet_wallet SET version = 6")
    assert list(faults()) == [LAST, VERSION]


def test_held_money_without_a_hold(user: User) -> None:
    plant("UPDATE wallet_wallet SET held = held + 5")
    wallet = user.wallet.pk
    assert faults() == {HELD: [{"wallet": wallet, "where": "held", "expected": "3.00", "found": "3.05"}]}


def test_a_hold_that_holds_nothing(user: User) -> None:
    plant("UPDATE wallet_wallet SET held = 0")
    assert list(faults()) == [HELD]


def test_a_captured_hold_that_was_never_charged(user: User) -> None:
    plant("UPDATE wallet_hold SET status = 'captured', resolved_at = now() WHERE status = 'active'")
    plant("UPDATE wallet_wallet SET held = 0")
    wallet = user.wallet.pk
    assert faults() == {CAPTURED: [{"wallet": wallet, "where": "verification:3", "expected": "-3.00", "found": "0.00"}]}


def test_a_released_hold_that_was_charged(user: User) -> None:
    plant("UPDATE wallet_hold SET status = 'released' WHERE reference = 'verification:2'")
    wallet = user.wallet.pk
    assert faults() == {CAPTURED: [{"wallet": wallet, "where": "verification:2", "expected": "0.00", "found": "-1.00"}]}


def test_a_reversal_of_another_amount(user: User) -> None:
    plant(
        "UPDATE wallet_transaction SET reverses_id = (SELECT id FROM wallet_transaction WHERE sequence = 4)"
        " WHERE sequence = 3"
    )
    wallet = user.wallet.pk
    assert faults() == {REVERSED: [{"wallet": wallet, "where": "refund:1", "expected": "1.00", "found": "2.00"}]}


def test_a_fault_ends_the_command_with_1_and_names_the_wallet(user: User) -> None:
    plant("UPDATE wallet_wallet SET held = held + 5")
    code, text = run()
    assert code == 1
    assert f"{HELD}: not so in\nwallet  where  expected  found\n" in text
    assert [str(user.wallet.pk), "held", "3.00", "3.05"] in [line.split() for line in text.splitlines()]
    assert text.endswith("DRIFT: 1 wallets, 4 journal rows.\n")


def test_many_faults_are_counted_and_the_first_shown(user: User) -> None:
    for _ in range(4):
        funded(make_user(), 10)
    plant("UPDATE wallet_wallet SET held = held + 1")
    report = next(report for report in audit(keep=2).checks if report.name == HELD)
    assert (report.found, len(report.rows), report.amount) == (5, 2, 5)


def test_drift_is_not_repaired(user: User) -> None:
    plant("UPDATE wallet_wallet SET held = held + 5")
    before = [list(model.objects.order_by("pk").values()) for model in (Wallet, Transaction, Hold)]
    run()
    assert [list(model.objects.order_by("pk").values()) for model in (Wallet, Transaction, Hold)] == before


def test_its_queries_do_not_grow_with_the_tables(user: User, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        funded(make_user(), 10)
    with django_assert_num_queries(len(CHECKS) + 1), transaction.atomic(savepoint=False):
        audit()
