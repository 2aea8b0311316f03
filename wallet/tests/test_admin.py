"""The wallet in the console: everything to be seen, nothing to be changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.tests.factories import make_user
from wallet import services
from wallet.models import Hold, Transaction, Wallet
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db
UUID = "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11"


@pytest.fixture
def user() -> User:
    """A customer with a purchase of $2.50 that was reversed, and a top-up."""
    user = make_user()
    services.credit(
        user=user,
        amount=2000,
        type="credit",
        counterparty="gateway:stripe",
        reference="payment:pay_1",
        description="x",
        resource=("payment", "pay_1"),
    )
    hold = services.hold(
        user=user,
        amount=250,
        reference=f"verification:{UUID}",
        description="WhatsApp",
        service="whatsapp",
        resource=("verification", UUID),
    )
    charged = services.capture(hold=hold.reference, user=user, type="sms_purchase")
    services.reverse(transaction=charged.reference, user=user, type="adjustment", reference="undo:1", description="x")
    return user


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def listed(staff: Client, query: str = "", model: str = "transaction") -> list[str]:
    answer = staff.get(f"/admin/wallet/{model}/?{query}")
    assert answer.status_code == 200
    return [row.reference for row in answer.context["cl"].result_list]


@pytest.mark.parametrize("model", [Wallet, Transaction, Hold])
def test_everything_is_shown_and_nothing_can_be_changed(staff: Client, user: User, model: Any) -> None:
    page = f"/admin/wallet/{model._meta.model_name}/"
    row = model.objects.first()
    assert [staff.get(path).status_code for path in (page, f"{page}{row.pk}/change/", f"{page}add/")] == [200, 200, 403]
    assert staff.post(f"{page}{row.pk}/change/", {"amount": "1"}).status_code == 403
    assert staff.post(f"{page}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_row_leads_to_its_customer_its_verification_and_what_undid_it(staff: Client, user: User) -> None:
    charged, undone = (Transaction.objects.get(reference=name) for name in (f"verification:{UUID}:capture", "undo:1"))
    page = staff.get(f"/admin/wallet/transaction/{charged.pk}/change/").content.decode()
    for target in (
        f"/admin/accounts/user/{user.pk}/change/",
        f"/admin/verifications/verification/{UUID}/change/",
        f"/admin/wallet/transaction/{undone.pk}/change/",
        "-$2.50",
    ):
        assert target in page
    top_up = Transaction.objects.get(reference="payment:pay_1")
    page = staff.get(f"/admin/wallet/transaction/{top_up.pk}/change/").content.decode()
    assert "/admin/payments/payment/?q=pay_1" in page


def test_a_row_about_something_unknown_says_what_it_has(staff: Client, user: User) -> None:
    services.credit(
        user=user,
        amount=1,
        type="bonus",
        counterparty="promotions",
        reference="b",
        description="x",
        resource=("campaign", "autumn"),
    )
    services.credit(
        user=user,
        amount=1,
        type="bonus",
        counterparty="promotions",
        reference="c",
        description="x",
        resource=("verification", "not/an/id"),
    )
    page = staff.get("/admin/wallet/transaction/").content.decode()
    assert "campaign autumn" in page
    assert "not/an/id" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["undo:1", f"verification:{UUID}:capture", "payment:pay_1"]),
        ("type__exact=credit", ["payment:pay_1"]),
        ("counterparty__exact=sales", ["undo:1", f"verification:{UUID}:capture"]),
        ("amount_from=2.51", ["payment:pay_1"]),
        ("amount_from=-2.50&amount_to=2.50", ["undo:1", f"verification:{UUID}:capture"]),
        ("amount_from=much", []),
        ("amount_to=1e50", []),
        ("service__icontains=whats", ["undo:1", f"verification:{UUID}:capture"]),
        ("q=payment:", ["payment:pay_1"]),
        ("q=nobody", []),
        (
            "created_at_from_0=2020-01-01&created_at_from_1=00:00:00&created_at_to_0=2020-01-02&created_at_to_1=00:00:00",
            [],
        ),
    ],
)
def test_staff_find_rows(staff: Client, user: User, query: str, found: list[str]) -> None:
    assert listed(staff, query) == found


def test_staff_find_a_customers_rows(staff: Client, user: User) -> None:
    other = make_user(email="else@example.test")
    posted = funded(other, 100)
    assert listed(staff, "q=else@") == [posted.reference]
    assert listed(staff, f"wallet__id__exact={posted.wallet_id}") == [posted.reference]
    assert len(listed(staff, "q=verification:", "hold")) == 1


def test_chosen_rows_are_exported(staff: Client, user: User) -> None:
    rows = Transaction.objects.filter(reference="undo:1")
    data = {"action": "export", "_selected_action": [row.pk for row in rows]}
    answer = staff.post("/admin/wallet/transaction/", data)
    lines = answer.getvalue().decode().splitlines()
    assert [line.rpartition(",")[2] for line in lines] == ["reference", "undo:1"]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_is_one_query_whatever_its_rows(staff: Client, rows: int) -> None:
    for _ in range(rows):
        funded(make_user(), 100)
    with CaptureQueriesContext(connection) as queries:
        assert len(listed(staff)) == rows
    assert len([query for query in queries if 'FROM "wallet_' in query["sql"]]) == 1


def test_who_is_not_staff_sees_nothing(user: User) -> None:
    client = Client()
    client.force_login(user)
    assert client.get("/admin/wallet/transaction/").status_code == 302
