"""The money core, one caller at a time."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from accounts.tests.factories import make_user
from wallet import services, signals
from wallet.errors import AlreadyResolved, AlreadyReversed, InsufficientFunds, NotInTransaction, ReferenceReused
from wallet.models import Hold, Transaction, Wallet
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def news() -> Any:
    """What the wallet announced, in order."""
    heard: list[tuple[Any, ...]] = []

    def posted(sender: Any, transaction: Transaction, news: dict[str, Any], **_: Any) -> None:
        heard.append(("posted", transaction.reference, news))

    def changed(sender: Any, wallet: Wallet, transaction: Transaction | None, **_: Any) -> None:
        reference = transaction.reference if transaction else None
        heard.append(("changed", wallet.balance, wallet.held, wallet.version, reference))

    signals.transaction_posted.connect(posted)
    signals.balance_changed.connect(changed)
    yield heard
    signals.transaction_posted.disconnect(posted)
    signals.balance_changed.disconnect(changed)


def top_up(user: User, amount: int = 500, reference: str = "payment:1", **changes: Any) -> Transaction:
    content = {"type": "credit", "counterparty": "gateway:stripe", "description": "Top-up", **changes}
    return services.credit(user=user, amount=amount, reference=reference, **content)


def fee(user: User, amount: int, reference: str = "fee:1", **changes: Any) -> Transaction:
    content = {"type": "debit", "counterparty": "fees", "description": "Fee", **changes}
    return services.debit(user=user, amount=amount, reference=reference, **content)


def set_aside(user: User, amount: int = 250, reference: str = "verification:1", **changes: Any) -> Hold:
    content = {
        "description": "WhatsApp",
        "service": "whatsapp",
        "resource": ("verification", "1"),
        **changes,
    }
    return services.hold(user=user, amount=amount, reference=reference, **content)


def money(user: User) -> tuple[int, int, int]:
    return Wallet.objects.values_list("balance", "held", "version").get(user=user)


def row(posted: Transaction) -> dict[str, Any]:
    names = ("sequence", "amount", "type", "counterparty", "balance_after", "reference", "reverses_id")
    names += ("description", "service", "resource_type", "resource_id", "status")
    return {name: getattr(posted, name) for name in names}


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
    assert refused.value.detail == "You have $1.20 available, and this costs $2.50. Top up $1.30 or more."
    assert (refused.value.code, refused.value.status) == ("insufficient_funds", 402)
    assert refused.value.extra == {"available": "1.20", "required": "2.50"}
    assert money(user) == (120, 0, 1)


def test_a_refusal_leaves_the_transaction_alive(user: User) -> None:
    with pytest.raises(InsufficientFunds):
        fee(user, 1)
    assert top_up(user, 5).balance_after == 5


def test_held_money_can_not_be_spent(user: User) -> None:
    top_up(user, 500)
    set_aside(user, 400)
    with pytest.raises(InsufficientFunds):
        fee(user, 101)
    assert fee(user, 100).balance_after == 400


def test_a_hold_sets_aside_and_posts_nothing(user: User) -> None:
    top_up(user, 500)
    held = set_aside(user, 250)
    assert money(user) == (500, 250, 1)
    assert (held.amount, held.status, held.resolved_at, held.wallet.available) == (250, "active", None, 250)


def test_a_hold_above_what_is_available_is_refused(user: User) -> None:
    top_up(user, 500)
    set_aside(user, 300)
    with pytest.raises(InsufficientFunds) as refused:
        set_aside(user, 201, "verification:2")
    assert refused.value.extra == {"available": "2.00", "required": "2.01"}
    assert money(user) == (500, 300, 1)
    assert Hold.objects.count() == 1


def test_a_capture_charges_the_hold(user: User) -> None:
    top_up(user, 500)
    held = set_aside(user, 250)
    charged = services.capture(hold=held, type="sms_purchase")
    assert row(charged) == {
        "sequence": 2,
        "amount": -250,
        "type": "sms_purchase",
        "counterparty": "sales",
        "balance_after": 250,
        "reference": "verification:1:capture",
        "reverses_id": None,
        "description": "WhatsApp",
        "service": "whatsapp",
        "resource_type": "verification",
        "resource_id": "1",
        "status": "completed",
    }
    assert money(user) == (250, 0, 2)
    stored = Hold.objects.get()
    assert (stored.status, stored.resolved_at) == ("captured", charged.created_at)
    assert (held.status, held.resolved_at) == ("captured", charged.created_at)


def test_a_capture_of_a_hold_read_anew_works_and_takes_one_query(user: User, django_assert_num_queries: Any) -> None:
    top_up(user, 500)
    set_aside(user, 250)
    held = Hold.objects.get()
    with django_assert_num_queries(1):
        charged = services.capture(hold=held, type="sms_purchase", description="Number for WhatsApp")
        assert charged.wallet.user_id == user.pk
    assert charged.description == "Number for WhatsApp"


def test_a_capture_needs_only_the_holds_reference_and_its_owner(
    user: User, news: list[Any], django_assert_num_queries: Any
) -> None:
    top_up(user, 500)
    set_aside(user, 250)
    news.clear()
    with django_assert_num_queries(1):
        charged = services.capture(hold="verification:1", user=user, type="sms_purchase")
    assert (charged.amount, charged.reference, charged.wallet.user) == (-250, "verification:1:capture", user)
    assert news == [("posted", "verification:1:capture", {}), ("changed", 250, 0, 2, "verification:1:capture")]
    again = services.capture(hold="verification:1", user=user, type="sms_purchase")
    assert (again.pk, again.is_new, len(news)) == (charged.pk, False, 2)


def test_a_capture_of_a_hold_that_is_not_there_or_released_moves_nothing(user: User) -> None:
    top_up(user, 500)
    with pytest.raises(Hold.DoesNotExist):
        services.capture(hold="verification:1", user=user, type="sms_purchase")
    services.release(hold=set_aside(user, 250))
    with pytest.raises(AlreadyResolved):
        services.capture(hold="verification:1", user=user, type="sms_purchase")
    assert money(user) == (500, 0, 1)


def test_a_capture_works_though_all_the_rest_is_held(user: User) -> None:
    top_up(user, 500)
    held = set_aside(user, 250)
    set_aside(user, 250, "verification:2")
    services.capture(hold=held, type="sms_purchase")
    assert money(user) == (250, 250, 2)


def test_a_release_gives_the_money_back(user: User) -> None:
    top_up(user, 500)
    held = set_aside(user, 250)
    services.release(hold=held)
    assert money(user) == (500, 0, 1)
    stored = Hold.objects.get()
    assert (stored.status, stored.resolved_at) == ("released", held.resolved_at)
    assert (held.status, held.wallet.available) == ("released", 500)


def test_a_release_of_a_hold_read_anew_works(user: User, django_assert_num_queries: Any) -> None:
    top_up(user, 500)
    set_aside(user, 250)
    held = Hold.objects.get()
    with django_assert_num_queries(1):
        services.release(hold=held)
    assert money(user) == (500, 0, 1)


def test_a_hold_is_resolved_once(user: User) -> None:
    top_up(user, 1000)
    captured, released = set_aside(user, 250, "verification:1"), set_aside(user, 250, "verification:2")
    services.capture(hold=captured, type="sms_purchase")
    services.release(hold=released)
    for call in (
        lambda: services.release(hold=captured),
        lambda: services.release(hold=released),
        lambda: services.capture(hold=released, type="sms_purchase"),
    ):
        with pytest.raises(AlreadyResolved):
            call()
    assert money(user) == (750, 0, 2)


def test_a_reversal_undoes_a_row_whole_towards_its_counterparty(user: User) -> None:
    top_up(user, 500)
    charged = services.capture(hold=set_aside(user, 250), type="sms_purchase")
    undone = services.reverse(
        transaction=charged, type="verification_refund", reference="verification:1:refund", description="Refund"
    )
    assert row(undone) == {
        "sequence": 3,
        "amount": 250,
        "type": "verification_refund",
        "counterparty": "sales",
        "balance_after": 500,
        "reference": "verification:1:refund",
        "reverses_id": charged.pk,
        "description": "Refund",
        "service": "whatsapp",
        "resource_type": "verification",
        "resource_id": "1",
        "status": "completed",
    }


def test_a_reversal_needs_only_the_rows_reference_and_its_owner(
    user: User, news: list[Any], django_assert_num_queries: Any
) -> None:
    top_up(user, 500)
    charged = services.capture(hold=set_aside(user, 250), type="sms_purchase")
    news.clear()
    undo: dict[str, Any] = {
        "transaction": charged.reference,
        "user": user,
        "type": "verification_refund",
        "description": "Refund",
    }
    with django_assert_num_queries(1):
        undone = services.reverse(reference="verification:1:refund", **undo)
    assert (undone.amount, undone.reverses_id, undone.wallet.user) == (250, charged.pk, user)
    assert news == [("posted", "verification:1:refund", {}), ("changed", 500, 0, 3, "verification:1:refund")]
    again = services.reverse(reference="verification:1:refund", **undo)
    assert (again.pk, again.is_new, len(news)) == (undone.pk, False, 2)
    with pytest.raises(AlreadyReversed):
        services.reverse(reference="another:refund", **undo)


def test_a_row_that_is_not_there_can_not_be_reversed(user: User) -> None:
    with pytest.raises(Transaction.DoesNotExist):
        services.reverse(
            transaction="verification:1:capture", user=user, type="chargeback", reference="x", description="Nothing"
        )


def test_a_replayed_reversal_has_to_undo_the_same_row(user: User) -> None:
    first, second = top_up(user, 500), top_up(user, 500, "payment:2")
    undo = {"type": "chargeback", "reference": "dispute:1", "description": "Dispute"}
    services.reverse(transaction=first, **undo)
    with pytest.raises(ReferenceReused):
        services.reverse(transaction=second, **undo)
    with pytest.raises(ReferenceReused):
        services.reverse(transaction=first, **{**undo, "type": "adjustment"})
    assert money(user) == (500, 0, 3)


def test_nothing_is_reversed_twice(user: User) -> None:
    posted = top_up(user, 500)
    undo = {"transaction": posted, "type": "chargeback", "description": "Dispute"}
    first = services.reverse(reference="dispute:1", **undo)
    assert services.reverse(reference="dispute:1", **undo).pk == first.pk
    with pytest.raises(AlreadyReversed):
        services.reverse(reference="dispute:2", **undo)
    assert money(user) == (0, 0, 2)


def test_a_credit_that_is_spent_can_not_be_reversed(user: User) -> None:
    posted = top_up(user, 500)
    fee(user, 100)
    with pytest.raises(InsufficientFunds) as refused:
        services.reverse(transaction=posted, type="chargeback", reference="dispute:1", description="Dispute")
    assert refused.value.extra == {"available": "4.00", "required": "5.00"}


def test_a_replay_returns_the_row_that_is_there(user: User) -> None:
    top_up(user, 1000)
    first = (fee(user, 100), set_aside(user))
    charged = services.capture(hold=first[1], type="sms_purchase")
    again = (fee(user, 100, description="In other words"), set_aside(user))
    recharged = services.capture(hold=Hold.objects.get(), type="sms_purchase")
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


@pytest.mark.parametrize("changes", [{"amount": 251}, {"service": "other"}, {"resource": ("verification", "2")}])
def test_a_reference_names_one_hold(user: User, changes: dict[str, Any]) -> None:
    top_up(user, 1000)
    set_aside(user, 250)
    with pytest.raises(ReferenceReused):
        set_aside(user, **{"amount": 250, **changes})
    assert money(user) == (1000, 250, 1)


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
    charged = services.capture(hold=set_aside_with_money(user), type="sms_purchase")
    services.reverse(transaction=charged, type="verification_refund", reference="r", description="Refund")
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


def set_aside_with_money(user: User) -> Hold:
    top_up(user, 500)
    return set_aside(user, 250)


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
    charged = services.capture(hold=held, type="sms_purchase", now=moments[2])
    services.release(hold=other, now=moments[3])
    undone = services.reverse(
        transaction=charged, type="verification_refund", reference="r", description="Refund", now=moments[4]
    )
    found = [posted.created_at, held.created_at, charged.created_at, other.resolved_at, undone.created_at]
    assert found == moments


def test_every_movement_is_announced_once_with_the_callers_news(user: User, news: list[Any]) -> None:
    top_up(user, 500, news={"gateway": "stripe"})
    top_up(user, 500, news={"gateway": "stripe"})
    held, other = set_aside(user), set_aside(user, 10, "verification:2")
    set_aside(user)
    services.capture(hold=held, type="sms_purchase")
    services.capture(hold=held, type="sms_purchase")
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
        lambda: services.capture(hold=held, type="sms_purchase"),
        lambda: services.release(hold=held),
        lambda: services.reverse(transaction=posted, type="chargeback", reference="r", description="x"),
    ):
        with pytest.raises(NotInTransaction, match="atomic"):
            call()
    assert money(user) == (500, 250, 1)
