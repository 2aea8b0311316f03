"""Holds, what becomes of them, and what undoes a row; one caller at a time."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from wallet import services
from wallet.errors import AlreadyResolved, AlreadyReversed, InsufficientFunds, ReferenceReused
from wallet.models import Hold, Transaction
from wallet.tests.movements import fee, money, row, set_aside, top_up

pytestmark = pytest.mark.django_db


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
    charged = services.capture(hold=held.reference, user=user, type="sms_purchase")
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


def test_a_capture_may_have_a_description_of_its_own(user: User) -> None:
    top_up(user, 500)
    set_aside(user, 250)
    charged = services.capture(hold="verification:1", user=user, type="sms_purchase", description="Number for WhatsApp")
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
    services.capture(hold=held.reference, user=user, type="sms_purchase")
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
    services.capture(hold=captured.reference, user=user, type="sms_purchase")
    services.release(hold=released)
    for call in (
        lambda: services.release(hold=captured),
        lambda: services.release(hold=released),
        lambda: services.capture(hold=released.reference, user=user, type="sms_purchase"),
    ):
        with pytest.raises(AlreadyResolved):
            call()
    assert money(user) == (750, 0, 2)


def test_a_reversal_undoes_a_row_whole_towards_its_counterparty(user: User) -> None:
    top_up(user, 500)
    charged = services.capture(hold=set_aside(user, 250).reference, user=user, type="sms_purchase")
    undone = services.reverse(
        transaction=charged.reference,
        user=user,
        type="verification_refund",
        reference="verification:1:refund",
        description="Refund",
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
    charged = services.capture(hold=set_aside(user, 250).reference, user=user, type="sms_purchase")
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
    undo = {"user": user, "type": "chargeback", "reference": "dispute:1", "description": "Dispute"}
    services.reverse(transaction=first.reference, **undo)
    with pytest.raises(ReferenceReused):
        services.reverse(transaction=second.reference, **undo)
    with pytest.raises(ReferenceReused):
        services.reverse(transaction=first.reference, **{**undo, "type": "adjustment"})
    assert money(user) == (500, 0, 3)


def test_nothing_is_reversed_twice(user: User) -> None:
    posted = top_up(user, 500)
    undo = {"transaction": posted.reference, "user": user, "type": "chargeback", "description": "Dispute"}
    first = services.reverse(reference="dispute:1", **undo)
    assert services.reverse(reference="dispute:1", **undo).pk == first.pk
    with pytest.raises(AlreadyReversed):
        services.reverse(reference="dispute:2", **undo)
    assert money(user) == (0, 0, 2)


def test_a_credit_that_is_spent_can_not_be_reversed(user: User) -> None:
    posted = top_up(user, 500)
    fee(user, 100)
    with pytest.raises(InsufficientFunds) as refused:
        services.reverse(
            transaction=posted.reference, user=user, type="chargeback", reference="dispute:1", description="Dispute"
        )
    assert refused.value.extra == {"available": "4.00", "required": "5.00"}


@pytest.mark.parametrize("changes", [{"amount": 251}, {"service": "other"}, {"resource": ("verification", "2")}])
def test_a_reference_names_one_hold(user: User, changes: dict[str, Any]) -> None:
    top_up(user, 1000)
    set_aside(user, 250)
    with pytest.raises(ReferenceReused):
        set_aside(user, **{"amount": 250, **changes})
    assert money(user) == (1000, 250, 1)
