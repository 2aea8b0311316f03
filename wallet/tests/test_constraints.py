"""What always holds, held by the database itself and past every service."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from accounts.tests.factories import make_user
from wallet import services
from wallet.models import Hold, JournalIsImmutable, Transaction, Wallet
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    user = make_user()
    funded(user, 1000)
    with transaction.atomic():
        services.hold(user=user, amount=300, reference="hold:1", description="x")
    return user


def execute(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE wallet_transaction SET amount = 1",
        "UPDATE wallet_transaction SET description = 'y' WHERE false",
        "DELETE FROM wallet_transaction",
        "INSERT INTO wallet_transaction SELECT * FROM wallet_transaction"
        " ON CONFLICT (reference) DO UPDATE SET amount = 1",
    ],
)
def test_the_database_refuses_to_change_the_journal(user: User, sql: str) -> None:
    with pytest.raises(IntegrityError, match=r"The journal only grows: (UPDATE|DELETE) is refused"):
        execute(sql)


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_to_empty_the_journal(user: User) -> None:
    assert "ringfence.test=on" in os.environ["PGOPTIONS"]
    with pytest.raises(IntegrityError, match="The journal only grows: TRUNCATE is refused"):
        execute("SET LOCAL ringfence.test = off; TRUNCATE wallet_transaction CASCADE")


@pytest.mark.django_db(transaction=True)
def test_the_switch_does_nothing_for_a_role_that_is_not_the_tests(user: User) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE ROLE somebody_else; GRANT ALL ON ALL TABLES IN SCHEMA public TO somebody_else")
        cursor.execute("SET LOCAL SESSION AUTHORIZATION somebody_else; SET LOCAL ringfence.test = on")
        with pytest.raises(IntegrityError, match="The journal only grows: TRUNCATE is refused"):
            cursor.execute("TRUNCATE wallet_transaction CASCADE")
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_a_test_may_empty_the_journal(user: User) -> None:
    execute("TRUNCATE wallet_transaction CASCADE")
    assert Transaction.objects.count() == 0


def test_the_model_refuses_first(user: User) -> None:
    row = Transaction.objects.get()
    for call in (
        row.save,
        row.delete,
        Transaction.objects.all().delete,
        lambda: Transaction.objects.update(amount=1),
        lambda: Transaction.objects.create(amount=1),
        lambda: Transaction.objects.bulk_create([row]),
        lambda: Transaction.objects.bulk_update([row], ["amount"]),
    ):
        with pytest.raises(JournalIsImmutable):
            call()


@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        ("UPDATE wallet_wallet SET held = -1", "wallet_held_not_negative"),
        ("UPDATE wallet_wallet SET balance = 299", "wallet_balance_covers_held"),
        ("UPDATE wallet_hold SET amount = 0", "wallet_hold_amount_positive"),
        ("UPDATE wallet_hold SET status = 'released'", "wallet_hold_resolved_once"),
        ("UPDATE wallet_hold SET resolved_at = now()", "wallet_hold_resolved_once"),
    ],
)
def test_wallets_and_holds_keep_their_bounds(user: User, sql: str, constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        execute(sql)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"amount": "0"}, "wallet_transaction_amount_not_zero"),
        ({"balance_after": "-1"}, "wallet_transaction_balance_not_negative"),
        ({"sequence": "1"}, "wallet_transaction_sequence_unique"),
        ({"type": "'gift'"}, "wallet_transaction_type_known"),
        ({"counterparty": "'nobody'"}, "wallet_transaction_counterparty_known"),
        ({"reference": "(SELECT reference FROM wallet_transaction)"}, "wallet_transaction_reference_key"),
    ],
)
def test_journal_rows_keep_their_bounds(user: User, change: dict[str, str], constraint: str) -> None:
    values = {
        "wallet_id": str(user.wallet.pk),
        "sequence": "2",
        "amount": "1",
        "type": "'bonus'",
        "counterparty": "'promotions'",
        "balance_after": "1001",
        "reference": "'r'",
        "description": "''",
        "service": "''",
        "resource_type": "''",
        "resource_id": "''",
        "status": "'completed'",
        "created_at": "now()",
    } | change
    with pytest.raises(IntegrityError, match=constraint):
        execute(f"INSERT INTO wallet_transaction ({', '.join(values)}) VALUES ({', '.join(values.values())})")  # noqa: S608


def test_nothing_is_reversed_twice_by_the_database_too(user: User) -> None:
    original = Transaction.objects.get()
    services.credit(user=user, amount=1, type="bonus", counterparty="promotions", reference="r", description="x")
    columns = "wallet_id, amount, type, counterparty, balance_after, description, service, resource_type, resource_id"
    columns += ", status, created_at"
    copy = (
        f"INSERT INTO wallet_transaction (sequence, reference, reverses_id, {columns})"  # noqa: S608
        f" SELECT {{0}}, 'copy {{0}}', {original.pk}, {columns} FROM wallet_transaction WHERE reference = 'r'"
    )
    execute(copy.format(3))
    with pytest.raises(IntegrityError, match="reverses_id"):
        execute(copy.format(4))


def test_a_user_with_a_wallet_is_not_deleted(user: User) -> None:
    from django.db.models import ProtectedError

    with pytest.raises(ProtectedError):
        user.delete()


def test_one_wallet_a_user(user: User) -> None:
    with pytest.raises(IntegrityError, match="user_id"), transaction.atomic():
        Wallet.objects.create(user=user)


def test_one_hold_a_reference(user: User) -> None:
    hold: Any = Hold.objects.get()
    hold.pk = None
    with pytest.raises(IntegrityError, match="reference"), transaction.atomic():
        hold.save(force_insert=True)
