"""The money core, one caller at a time."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from accounts.tests.factories import make_user
from wallet import services
from wallet.errors import InsufficientFunds, NotInTransaction, ReferenceReused
from wallet.models import Hold, Transaction, Wallet
from wallet.tests.factories import funded
from wallet.tests.movements import fee, money, row, set_aside, set_aside_with_money, top_up

pytestmark = pytest.mark.django_db


def test_a_credit_is_one_journal_row_and_moves_the_balance(user: User) -> None:
    top_up(user, 500, service="x", resource=("payment", "pay_1"))

    assert row(Transaction.objects.get()) == {
        "sequence": 1,
        "amount": 500,
        "type": "credit",
        "counterparty": "gateway:stripe",
        "balance_after": 500,
        "reference": "payment:1",
        "reverses_id": None,
        "description": "Top-up",
        "service": "x",
        "resource_type": "payment",
        "resource_id": "pay_1",
        "status": "completed",
    }
    assert money(user) == (500, 0, 1)


def test_a_debit_takes_what_is_available(user: User) -> None:
    top_up(user, 500)
    posted = fee(user, 500)
    assert (posted.amount, posted.balance_after, posted.sequence) == (-500, 0, 2)
    assert money(user) == (0, 0, 2)


def test_a_posting_is_one_round_trip_and_brings_the_wallet_and_its_owner(
    user: User, django_assert_num_queries: Any
) -> None:
    top_up(user, 500)
    with django_assert_num_queries(1):
        posted = fee(user, 200, type="adjustment", counterparty="corrections")
        wallet = (posted.wallet.balance, posted.wallet.held, posted.wallet.version, posted.wallet.user.pk)
    assert wallet == (300, 0, 2, user.pk)
    assert user.wallet.balance == 300


def test_too_little_is_refused_with_what_there_is_and_what_it_costs(user: User) -> None:
    top_up(user, 120)
    with pytest.raises(InsufficientFunds) as refused:
        fee(user, 250)
    assert refused.value.detail == "You have $1.20 available, and this costs $2.50. Top up $5.00 or more."
    assert (refused.value.code, refused.value.status) == ("insufficient_funds", 402)
    assert refused.value.extra == {"available": "1.20", "required": "2.50"}
    assert money(user) == (120, 0, 1)


def test_a_refusal_leaves_the_transaction_alive(user: User) -> None:
    with pytest.raises(InsufficientFunds):
        fee(user, 1)
    assert top_up(user, 5).balance_after == 5


def test_a_replay_returns_the_row_that_is_there(user: User) -> None:
    top_up(user, 1000)
    first = (fee(user, 100), set_aside(user))
    charged = services.capture(hold=first[1].reference, user=user, type="sms_purchase")
    again = (fee(user, 100, description="In other words"), set_aside(user))
    recharged = services.capture(hold=Hold.objects.get().reference, user=user, type="sms_purchase")
    assert [new.pk for new in (*again, recharged)] == [old.pk for old in (*first, charged)]
    assert [new.is_new for new in (*again, recharged)] == [False, False, False]
    assert again[1].status == "captured"
    assert money(user) == (650, 0, 3)


def test_a_replay_is_found_though_the_money_is_gone(user: User) -> None:
    top_up(user, 100)
    first = fee(user, 100)
    assert fee(user, 100).pk == first.pk


def test_a_replay_brings_the_wallet_as_it_stands_now(user: User) -> None:
    first = top_up(user, 100)
    top_up(user, 50, "payment:2")
    again = top_up(user, 100)
    assert (again.pk, again.balance_after, again.wallet.balance) == (first.pk, 100, 150)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 501},
        {"type": "bonus"},
        {"counterparty": "gateway:paystack"},
        {"service": "other"},
        {"resource": ("payment", "2")},
    ],
)
def test_a_reference_names_one_movement(user: User, changes: dict[str, Any]) -> None:
    top_up(user, 500)
    with pytest.raises(ReferenceReused) as refused:
        top_up(user, **{"amount": 500, **changes})
    assert str(refused.value.detail) == "payment:1 names a different movement of money already."
    assert money(user) == (500, 0, 1)


def test_a_reference_of_another_wallet_is_refused(user: User) -> None:
    stranger = make_user()
    top_up(user, 500)
    funded(stranger, 500)
    set_aside(user, 250)
    with pytest.raises(ReferenceReused):
        top_up(stranger, 500)
    with pytest.raises(ReferenceReused):
        set_aside(stranger, 250)
    assert (money(user), money(stranger)) == ((500, 250, 1), (500, 0, 1))


def test_a_reversal_and_a_plain_credit_are_different_movements(user: User) -> None:
    charged = services.capture(hold=set_aside_with_money(user).reference, user=user, type="sms_purchase")
    services.reverse(
        transaction=charged.reference, user=user, type="verification_refund", reference="r", description="Refund"
    )
    with pytest.raises(ReferenceReused):
        services.credit(
            user=user,
            amount=250,
            type="verification_refund",
            counterparty="sales",
            reference="r",
            description="Refund",
            service="whatsapp",
            resource=("verification", "1"),
        )


@pytest.mark.parametrize("amount", [0, -1, True, 2.5, "100", None])
def test_an_amount_is_a_whole_number_of_cents_above_zero(user: User, amount: Any) -> None:
    for call in (top_up, fee, set_aside):
        with pytest.raises(ValueError, match="whole number of cents above 0"):
            call(user, amount)


def test_types_and_counterparties_are_the_known_ones(user: User) -> None:
    with pytest.raises(ValueError, match="gift"):
        top_up(user, type="gift")
    with pytest.raises(ValueError, match="nobody"):
        top_up(user, counterparty="nobody")


def test_the_time_may_come_in(user: User) -> None:
    from datetime import UTC, datetime

    moments = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(1, 6)]
    posted = top_up(user, 1000, now=moments[0])
    held, other = set_aside(user, now=moments[1]), set_aside(user, 10, "verification:2", now=moments[1])
    charged = services.capture(hold=held.reference, user=user, type="sms_purchase", now=moments[2])
    services.release(hold=other, now=moments[3])
    undone = services.reverse(
        transaction=charged.reference,
        user=user,
        type="verification_refund",
        reference="r",
        description="Refund",
        now=moments[4],
    )
    found = [posted.created_at, held.created_at, charged.created_at, other.resolved_at, undone.created_at]
    assert found == moments


def test_every_movement_is_announced_once_with_the_callers_news(user: User, news: list[Any]) -> None:
    top_up(user, 500, metadata={"gateway": "stripe"})
    top_up(user, 500, metadata={"gateway": "stripe"})
    held, other = set_aside(user), set_aside(user, 10, "verification:2")
    set_aside(user)
    services.capture(hold=held.reference, user=user, type="sms_purchase")
    services.capture(hold=held.reference, user=user, type="sms_purchase")
    services.release(hold=other)
    assert news == [
        ("posted", "payment:1", {"gateway": "stripe"}),
        ("changed", 500, 0, 1, "payment:1"),
        ("changed", 500, 250, 1, None),
        ("changed", 500, 260, 1, None),
        ("posted", "verification:1:capture", {}),
        ("changed", 250, 10, 2, "verification:1:capture"),
        ("changed", 250, 0, 2, None),
    ]


def test_the_wallet_is_made_on_the_first_movement_or_on_asking(user: User) -> None:
    assert Wallet.objects.count() == 0
    top_up(user, 500)
    assert services.wallet_of(user=user) == Wallet.objects.get()
    assert services.wallet_of(user=make_user()).balance == 0


@pytest.mark.django_db(transaction=True)
def test_money_moves_only_inside_a_transaction() -> None:
    user = make_user()
    with transaction.atomic():
        posted, held = top_up(user), set_aside(user)
    for call in (
        lambda: top_up(user),
        lambda: fee(user, 1),
        lambda: set_aside(user),
        lambda: services.capture(hold=held.reference, user=user, type="sms_purchase"),
        lambda: services.release(hold=held),
        lambda: services.reverse(
            transaction=posted.reference, user=user, type="chargeback", reference="r", description="x"
        ),
    ):
        with pytest.raises(NotInTransaction, match="atomic"):
            call()
    assert money(user) == (500, 250, 1)
