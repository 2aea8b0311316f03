"""The wallet by API, as its shapes are written down."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import create_api_key
from accounts.tests.factories import make_user
from config.lib.unit_of_work import unit_of_work
from wallet import services
from wallet.models import Transaction
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db

LISTS = ("/api/wallet/transactions", "/api/wallet/transactions/detailed")
READS = ("/api/wallet/balance", *LISTS, "/api/wallet/transactions/export")


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def client(user: User) -> Client:
    return caller(user)


def caller(user: User, *scopes: str) -> Client:
    _, secret = create_api_key(user=user, name="test", scopes=scopes or ("read",))
    return Client(headers={"Authorization": f"Bearer {secret}"})


def moment(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def history(user: User) -> None:
    """March 1 to 4: a top-up of $20, a purchase of $2.50, its refund, a fee of $1."""
    with unit_of_work():
        post = {"user": user, "description": "Top-up by card"}
        services.credit(
            amount=2000, type="credit", counterparty="gateway:stripe", reference="p:1", now=moment(1), **post
        )
        hold = services.hold(
            user=user, amount=250, reference="v:1", description="WhatsApp", service="whatsapp", now=moment(2)
        )
        charged = services.capture(hold=hold.reference, user=user, type="sms_purchase", now=moment(2))
        services.reverse(
            transaction=charged.reference,
            user=user,
            type="verification_refund",
            reference="v:1:refund",
            description="Refund",
            now=moment(3),
        )
        services.debit(
            user=user,
            amount=100,
            type="debit",
            counterparty="fees",
            reference="fee:1",
            description="=HYPERLINK(1)",
            now=moment(4),
        )


def references(answer: Any) -> list[str]:
    return [row["reference"] for row in answer.json()["transactions"]]


def test_the_balance_of_a_wallet_with_a_purchase_under_way(user: User, client: Client) -> None:
    funded(user, 2500)
    services.hold(user=user, amount=250, reference="v:1", description="x")
    answer = client.get("/api/wallet/balance")
    assert answer.status_code == 200
    assert answer.json() == {
        "balance": "25.00",
        "held": "2.50",
        "available": "22.50",
        "currency": "USD",
        "version": 1,
    }


def test_who_never_had_money_has_zeros(client: Client) -> None:
    zeros = {"balance": "0.00", "held": "0.00", "available": "0.00", "currency": "USD", "version": 0}
    assert client.get("/api/wallet/balance").json() == zeros
    assert client.get("/api/wallet/transactions").json() == {"total": 0, "transactions": []}


def test_a_transaction_as_it_is_listed(user: User, client: Client) -> None:
    history(user)
    answer = client.get("/api/wallet/transactions?skip=2&limit=1")
    assert answer.status_code == 200
    assert answer.json() == {
        "total": 4,
        "transactions": [
            {
                "id": Transaction.objects.get(reference="v:1:capture").pk,
                "sequence": 2,
                "amount": "-2.50",
                "type": "sms_purchase",
                "description": "WhatsApp",
                "service": "whatsapp",
                "status": "completed",
                "created_at": "2026-03-02T12:00:00Z",
                "balance_after": "17.50",
                "reference": "v:1:capture",
            }
        ],
    }


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_newest_first_and_page_by_skip_or_by_sequence(user: User, client: Client, path: str) -> None:
    history(user)
    assert references(client.get(path)) == ["fee:1", "v:1:refund", "v:1:capture", "p:1"]
    assert references(client.get(f"{path}?skip=1&limit=2")) == ["v:1:refund", "v:1:capture"]
    assert references(client.get(f"{path}?before=3&limit=1")) == ["v:1:capture"]
    assert references(client.get(f"{path}?after=1&limit=2")) == ["v:1:refund", "v:1:capture"]
    assert references(client.get(f"{path}?after=1&before=3")) == ["v:1:capture"]
    assert {client.get(f"{path}{query}").json()["total"] for query in ("", "?skip=9", "?before=2", "?after=3")} == {4}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=sms_purchase", ["v:1:capture"]),
        ("type=refund", ["v:1:refund"]),
        ("type=bonus", []),
        ("start_date=2026-03-03", ["fee:1", "v:1:refund"]),
        ("end_date=2026-03-02", ["v:1:capture", "p:1"]),
        ("start_date=2026-03-02&end_date=2026-03-03", ["v:1:refund", "v:1:capture"]),
        ("start_date=2026-03-02T12:00:00Z&end_date=2026-03-03T12:00:00Z", ["v:1:refund", "v:1:capture"]),
        ("start_date=2026-03-02T12:00:00Z&end_date=2026-03-03T11:59:59.999999Z", ["v:1:capture"]),
        ("start_date=2026-03-03T12:00:00Z&end_date=2026-03-03T12:00:00Z", ["v:1:refund"]),
        ("type=refund&end_date=2026-03-02", []),
        ("type=debit&start_date=2026-03-01&limit=1", ["fee:1"]),
        ("end_date=9999-12-31", ["fee:1", "v:1:refund", "v:1:capture", "p:1"]),
    ],
)
def test_the_detailed_list_filters_by_type_and_days(user: User, client: Client, query: str, found: list[str]) -> None:
    history(user)
    answer = client.get(f"/api/wallet/transactions/detailed?{query}")
    assert (references(answer), answer.json()["total"]) == (found, len(found))


def test_refund_means_both_kinds(user: User, client: Client) -> None:
    history(user)
    top_up = Transaction.objects.get(reference="p:1")
    services.debit(
        user=user,
        amount=500,
        type="payment_refund",
        counterparty=top_up.counterparty,
        reference="card:1",
        description="x",
    )
    answer = client.get("/api/wallet/transactions/detailed?type=refund")
    assert references(answer) == ["card:1", "v:1:refund"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        *[(f"{path}?limit={limit}", "limit") for path in LISTS for limit in ("0", "101", "x")],
        *[(f"{path}?skip={skip}", "skip") for path in LISTS for skip in ("-1", "99999999999", "x")],
        *[(f"{path}?before={cursor}", "before") for path in LISTS for cursor in ("-1", "9223372036854775808", "x")],
        ("/api/wallet/transactions?after=1.5", "after"),
        *[
            (f"{path}?{name}={value}", name)
            for path in ("/api/wallet/transactions/detailed", "/api/wallet/transactions/export")
            for name, value in (
                ("type", "gift"),
                ("type", "%00"),
                ("start_date", "yesterday"),
                ("start_date", "2026-02-30"),
                ("end_date", "%00"),
            )
        ],
        ("/api/wallet/transactions/detailed?start_date=2026-03-02&end_date=2026-03-01T00:00:00Z", "end_date"),
        ("/api/wallet/transactions/export?format=xml", "format"),
    ],
)
def test_a_bad_query_is_refused_by_the_name_of_its_field(client: Client, path: str, field: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    problem = answer.json()
    assert (problem["code"], list(problem["errors"])) == ("validation_error", [field])


def test_an_export_is_what_the_list_says_as_csv(user: User, client: Client) -> None:
    history(user)
    answer = client.get("/api/wallet/transactions/export?format=csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="transactions.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    listed = client.get("/api/wallet/transactions").json()["transactions"]
    assert [line["reference"] for line in lines] == [row["reference"] for row in listed]
    assert lines[1:] == [{name: str(value) for name, value in row.items()} for row in listed[1:]]


def test_no_cell_of_an_export_is_a_formula(user: User, client: Client) -> None:
    history(user)
    answer = client.get("/api/wallet/transactions/export")
    fee = next(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert (fee["description"], fee["amount"]) == ("'=HYPERLINK(1)", "-1.00")


def test_an_export_is_what_the_list_says_as_json(user: User, client: Client) -> None:
    history(user)
    answer = client.get("/api/wallet/transactions/export?format=json&type=refund")
    assert answer["Content-Type"] == "application/json"
    assert (
        json.loads(answer.getvalue())
        == client.get("/api/wallet/transactions/detailed?type=refund").json()["transactions"]
    )


def test_an_export_of_nothing_is_a_header_or_an_empty_list(client: Client) -> None:
    assert client.get("/api/wallet/transactions/export").getvalue().count(b"\n") == 1
    assert json.loads(client.get("/api/wallet/transactions/export?format=json").getvalue()) == []


def test_another_customers_money_is_invisible(user: User) -> None:
    history(user)
    stranger = caller(make_user())
    balance, plain, detailed, export = (stranger.get(path) for path in READS)
    assert balance.json()["version"] == 0
    assert plain.json() == detailed.json() == {"total": 0, "transactions": []}
    assert export.getvalue().count(b"\n") == 1


@pytest.mark.parametrize("path", READS)
def test_reading_needs_somebody_with_the_scope_read(user: User, path: str) -> None:
    assert Client().get(path).status_code == 401
    assert caller(user, "buy", "pay", "manage").get(path).status_code == 403
    assert caller(user, "read").get(path).status_code == 200
    session = Client()
    session.force_login(user)
    assert session.get(path).status_code == 200


@pytest.mark.parametrize("path", READS)
def test_the_wallet_is_read_only(client: Client, path: str) -> None:
    assert {client.post(path).status_code, client.put(path).status_code, client.delete(path).status_code} <= {403, 405}


@pytest.mark.parametrize(("path", "queries"), [(READS[0], 1), (READS[1], 2), (READS[2], 2), (READS[3], 1)])
@pytest.mark.parametrize("rows", [1, 3])
def test_its_queries_do_not_grow_with_the_rows(
    user: User, client: Client, path: str, queries: int, rows: int, django_assert_num_queries: Any
) -> None:
    for _ in range(rows):
        funded(user, 100)
    client.get(path).getvalue() if "export" in path else client.get(path)  # the key's last use is noted once
    with django_assert_num_queries(queries + 1):  # and one finds the key
        answer = client.get(path)
        if "export" in path:
            assert answer.getvalue().count(b"\n") == rows + 1


def test_the_list_walks_the_wallets_own_index_and_sorts_nothing(user: User) -> None:
    from django.db import connection

    from wallet.selectors import transactions_of

    funded(user, 100)
    with connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort"):  # what a planner prefers for a table that it thinks is tiny
            cursor.execute(f"SET LOCAL enable_{way} = off")
    plan = transactions_of(user=user)[:20].explain()
    assert "Sort" not in plan
    assert "wallet_transaction_sequence_unique" in plan


def test_staff_watch_what_moved(user: User) -> None:
    with unit_of_work():
        services.credit(
            user=user, amount=2000, type="credit", counterparty="gateway:stripe", reference="p", description="Top-up"
        )
        hold = services.hold(user=user, amount=250, reference="v", description="WhatsApp")
        charged = services.capture(hold=hold.reference, user=user, type="sms_purchase")
        services.reverse(
            transaction=charged.reference, user=user, type="verification_refund", reference="r", description="Refund"
        )
    funded(make_user(), 100)
    staff = make_user(is_staff=True, is_superuser=True)
    answer = caller(staff).get("/api/admin/transactions/monitor?minutes=5").json()
    recent = answer.pop("recent_transactions")
    assert answer == {
        "total_transactions": 4,
        "credits_added": "20.00",
        "credits_spent": "2.50",
        "refunds_issued": "2.50",
        "unique_users": 2,
        "by_type": {"credit": 1, "sms_purchase": 1, "verification_refund": 1, "bonus": 1},
        "amount_by_type": {
            "credit": "20.00",
            "sms_purchase": "-2.50",
            "verification_refund": "2.50",
            "bonus": "1.00",
        },
    }
    row = Transaction.objects.get(reference="r")
    assert recent[1] == {
        "id": row.pk,
        "user_id": user.pk,
        "amount": "2.50",
        "type": "verification_refund",
        "description": "Refund",
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert len(recent) == 4


def test_the_monitor_is_for_staff_and_for_minutes(user: User) -> None:
    path = "/api/admin/transactions/monitor"
    assert Client().get(path).status_code == 401
    assert caller(user).get(path).status_code == 403
    staff = make_user(is_staff=True, is_superuser=True)
    assert caller(staff, "buy").get(path).status_code == 403
    assert {caller(staff).get(f"{path}?minutes={n}").status_code for n in ("0", "x", "99999999")} == {400}


def test_an_old_movement_is_not_in_the_monitor(user: User) -> None:
    history(user)
    answer = caller(make_user(is_staff=True, is_superuser=True)).get("/api/admin/transactions/monitor").json()
    assert (answer["total_transactions"], answer["credits_spent"], answer["recent_transactions"]) == (0, "0.00", [])
