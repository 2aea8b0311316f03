"""Real connections contend for one wallet: the books are right whoever wins."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from accounts.tests.factories import make_user
from wallet import services
from wallet.audit import audit
from wallet.errors import AlreadyResolved, InsufficientFunds, ReferenceReused
from wallet.models import Hold, Transaction, Wallet
from wallet.tests.factories import funded

pytestmark = [pytest.mark.races, pytest.mark.drill, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def user() -> User:
    return make_user()


def money(user: User) -> tuple[int, int, int]:
    return Wallet.objects.values_list("balance", "held", "version").get(user=user)


def outcomes(answers: list[Any]) -> Counter[str]:
    return Counter(type(answer).__name__ for answer in answers)


def debit(user: User, reference: str) -> Transaction:
    with transaction.atomic():
        return services.debit(
            user=User.objects.get(pk=user.pk),
            amount=100,
            type="debit",
            counterparty="fees",
            reference=reference,
            description="x",
        )


def hold(user: User, reference: str, amount: int = 100) -> Hold:
    with transaction.atomic():
        return services.hold(user=User.objects.get(pk=user.pk), amount=amount, reference=reference, description="x")


def test_twenty_debits_of_a_dollar_take_twenty(user: User, in_threads: Any) -> None:
    funded(user, 2500)
    answers = in_threads([lambda n=n: debit(user, f"fee:{n}") for n in range(20)])
    assert outcomes(answers) == {"Transaction": 20}
    assert money(user) == (500, 0, 21)
    assert sorted(row.sequence for row in answers) == list(range(2, 22))
    assert audit().clean


def test_thirty_debits_with_money_for_twenty_are_twenty(user: User, in_threads: Any) -> None:
    funded(user, 2000)
    answers = in_threads([lambda n=n: debit(user, f"fee:{n}") for n in range(30)])
    assert outcomes(answers) == {"Transaction": 20, "InsufficientFunds": 10}
    assert money(user) == (0, 0, 21)
    assert audit().clean


def test_fifty_holds_with_money_for_ten_are_ten(user: User, in_threads: Any) -> None:
    funded(user, 1000)
    answers = in_threads([lambda n=n: hold(user, f"verification:{n}") for n in range(50)])
    assert outcomes(answers) == {"Hold": 10, "InsufficientFunds": 40}
    assert money(user) == (1000, 1000, 1)
    assert audit().clean


def test_a_capture_and_a_release_at_once_are_one_of_them(user: User, in_threads: Any) -> None:
    funded(user, 1000)
    pk = hold(user, "verification:1").pk

    def capture() -> str:
        with transaction.atomic():
            services.capture(hold="verification:1", user=user, type="sms_purchase")
        return "captured"

    def release() -> str:
        with transaction.atomic():
            services.release(hold=Hold.objects.get(pk=pk))
        return "released"

    answers = in_threads([capture, release] * 8)
    resolved = Hold.objects.get().status
    if resolved == "captured":
        assert set(map(str, answers)) == {"captured", str(AlreadyResolved())}
        assert answers[::2] == ["captured"] * 8  # a replayed capture is the capture
        assert money(user) == (900, 0, 2)
    else:
        assert Counter(map(str, answers)) == {"released": 1, str(AlreadyResolved()): 15}
        assert money(user) == (1000, 0, 1)
    assert audit().clean


def test_releases_at_once_are_one(user: User, in_threads: Any) -> None:
    funded(user, 1000)
    pk = hold(user, "verification:1").pk
    hold(user, "verification:2")

    def release() -> str:
        with transaction.atomic():
            services.release(hold=Hold.objects.get(pk=pk))
        return "released"

    answers = in_threads(release, times=16)
    assert Counter(map(str, answers)) == {"released": 1, str(AlreadyResolved()): 15}
    assert money(user) == (1000, 100, 1)
    assert audit().clean


def test_one_reference_at_once_is_one_row_for_all(user: User, in_threads: Any) -> None:
    funded(user, 1000)
    debits = in_threads(lambda: debit(user, "fee:1").pk, times=16)
    holds = in_threads(lambda: hold(user, "verification:1").pk, times=16)
    assert set(debits) == {Transaction.objects.get(reference="fee:1").pk}
    assert set(holds) == {Hold.objects.get().pk}
    assert money(user) == (900, 100, 2)


def test_one_reference_with_two_contents_at_once_is_the_first_ones(user: User, in_threads: Any) -> None:
    funded(user, 1000)
    answers = in_threads([lambda n=n: hold(user, "verification:1", amount=100 + n % 2) for n in range(10)])
    assert outcomes(answers) == {"Hold": 5, "ReferenceReused": 5}
    assert {answer.amount for answer in answers if isinstance(answer, Hold)} == {Hold.objects.get().amount}
    assert audit().clean


def test_one_reference_of_many_wallets_at_once_is_one_of_theirs(in_threads: Any) -> None:
    users = [make_user() for _ in range(8)]
    for user in users:
        funded(user, 1000)
    debits = in_threads([lambda user=user: debit(user, "fee:1") for user in users])
    holds = in_threads([lambda user=user: hold(user, "verification:1") for user in users])
    assert outcomes(debits) == {"Transaction": 1, "ReferenceReused": 7}
    assert outcomes(holds) == {"Hold": 1, "ReferenceReused": 7}
    assert Transaction.objects.filter(reference="fee:1").count() == 1
    assert audit().clean


def test_a_wallets_first_movements_at_once_make_one_wallet(user: User, in_threads: Any) -> None:
    answers = in_threads([lambda: funded(User.objects.get(pk=user.pk), 100)] * 12)
    assert outcomes(answers) == {"Transaction": 12}
    assert money(user) == (1200, 0, 12)


def test_a_row_is_reversed_once_whatever_the_references(user: User, in_threads: Any) -> None:
    funded(user, 1000)
    debit(user, "fee:1")

    def undo(reference: str) -> str:
        with transaction.atomic():
            return services.reverse(
                transaction="fee:1", user=user, type="adjustment", reference=reference, description="x"
            ).reference

    answers = in_threads([lambda n=n: undo(f"undo:{n}") for n in range(8)])
    assert Counter(type(answer).__name__ for answer in answers) == {"str": 1, "AlreadyReversed": 7}
    assert money(user) == (1000, 0, 3)


def test_everything_at_once_leaves_the_books_right(user: User, in_threads: Any) -> None:
    funded(user, 1000)

    def buy(n: int) -> None:
        held = hold(user, f"verification:{n}", amount=90)
        with transaction.atomic():
            if n % 2:
                services.release(hold=held)
            else:
                charged = services.capture(hold=held.reference, user=user, type="sms_purchase")
                services.reverse(
                    transaction=charged.reference,
                    user=user,
                    type="verification_refund",
                    reference=f"refund:{n}",
                    description="x",
                )

    calls = [lambda n=n: buy(n) for n in range(16)] + [lambda n=n: debit(user, f"fee:{n}") for n in range(8)]
    answers = in_threads(calls)
    assert {type(answer) for answer in answers} <= {type(None), Transaction, InsufficientFunds}
    assert not any(isinstance(answer, ReferenceReused) for answer in answers)
    assert Wallet.objects.get(user=user).held == 0
    assert audit().clean
