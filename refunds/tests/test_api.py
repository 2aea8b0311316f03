"""Refunds by API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import create_api_key
from accounts.tests.factories import make_user
from refunds.models import Refund
from refunds.tests.factories import bought, end, make_refund
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def user() -> User:
    user = make_user()
    funded(user, 1000)
    return user


def caller(user: User, *scopes: str) -> Client:
    _, secret = create_api_key(user=user, name="test", scopes=scopes or ("read",))
    return Client(headers={"Authorization": f"Bearer {secret}"})


def refunded(user: User, price: int = 250) -> Refund:
    return make_refund(end(bought(user, price=price)), reason="timeout", now=NOW)


def shape(refund: Refund) -> dict[str, Any]:
    return {
        "reference": refund.reference,
        "amount": "2.50",
        "currency": "USD",
        "status": "completed",
        "reason": "timeout",
        "destination": "wallet",
        "automatic": True,
        "verification_id": str(refund.verification_id),
        "service": "whatsapp",
        "created_at": "2026-03-01T12:00:00Z",
        "completed_at": "2026-03-01T12:00:00Z",
    }


def test_a_refund_as_it_is_listed_and_as_it_is_shown(user: User) -> None:
    refund = refunded(user)
    client = caller(user)
    listed, shown = client.get("/api/refunds"), client.get(f"/api/refunds/{refund.reference}")
    assert (listed.status_code, listed.json()) == (200, {"total": 1, "refunds": [shape(refund)]})
    assert (shown.status_code, shown.json()) == (200, shape(refund))


def test_a_refund_of_no_verification_is_listed_too(user: User) -> None:
    Refund.objects.create(user=user, amount=100, reason="x")
    [row] = caller(user).get("/api/refunds").json()["refunds"]
    assert (row["verification_id"], row["service"], row["status"], row["completed_at"]) == (
        None,
        None,
        "initiated",
        None,
    )


def test_the_list_is_newest_first_and_pages(user: User) -> None:
    first, second, third = (refunded(user, price) for price in (100, 200, 300))
    client = caller(user)
    listed = [row["reference"] for row in client.get("/api/refunds").json()["refunds"]]
    assert listed == [third.reference, second.reference, first.reference]
    page = client.get("/api/refunds?skip=1&limit=1").json()
    assert (page["total"], [row["amount"] for row in page["refunds"]]) == (3, ["2.00"])
    assert client.get("/api/refunds?limit=0").status_code == 400


def test_another_customers_refund_is_not_there(user: User) -> None:
    refund = refunded(user)
    stranger = caller(make_user())
    assert stranger.get("/api/refunds").json() == {"total": 0, "refunds": []}
    answer = stranger.get(f"/api/refunds/{refund.reference}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert stranger.get("/api/refunds/%00").status_code == 404


def test_reading_needs_somebody_with_the_scope_read(user: User) -> None:
    path = f"/api/refunds/{refunded(user).reference}"
    for each in ("/api/refunds", path):
        assert Client().get(each).status_code == 401
        assert caller(user, "buy", "pay", "manage").get(each).status_code == 403
        assert caller(user).get(each).status_code == 200


@pytest.mark.parametrize("rows", [1, 3])
def test_its_queries_do_not_grow_with_the_rows(user: User, rows: int, django_assert_num_queries: Any) -> None:
    for _ in range(rows):
        refunded(user, price=100)
    client = caller(user)
    client.get("/api/refunds")
    with django_assert_num_queries(3):  # the key, the count, the rows
        client.get("/api/refunds")
