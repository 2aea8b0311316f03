"""The whole money core against a model of thirty lines, in whatever order hypothesis thinks of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from accounts.models import User
from accounts.tests.factories import make_user
from wallet import services
from wallet.audit import audit
from wallet.errors import AlreadyResolved, AlreadyReversed, InsufficientFunds, ReferenceReused
from wallet.models import Hold, Transaction, Wallet

AMOUNTS = st.integers(min_value=1, max_value=500)
OWNERS = st.integers(min_value=0, max_value=1)


@dataclass
class Purse:
    """What a wallet should be."""

    rows: list[int] = field(default_factory=list)
    holds: dict[str, int] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        return sum(self.rows)

    @property
    def available(self) -> int:
        return self.balance - sum(self.holds.values())


class MoneyCore(RuleBasedStateMachine):
    """Two customers' wallets: every refusal is the model's, and every row is the model's."""

    posted = Bundle("posted")
    held = Bundle("held")
    resolved = Bundle("resolved")

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.users = [make_user() for _ in range(2)]
        self.purses = [Purse(), Purse()]
        self.reversed: dict[str, str] = {}
        self.references = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    def reference(self) -> str:
        self.references += 1
        return f"r{self.references}"

    def content(self, owner: int, amount: int, reference: str, **changes: Any) -> dict[str, Any]:
        who = User.objects.get(pk=self.users[owner].pk)
        content = {"type": "adjustment", "counterparty": "corrections", "description": "x"}
        return {"user": who, "amount": amount, "reference": reference, **content, **changes}

    @rule(target=posted, owner=OWNERS, amount=AMOUNTS)
    def credit(self, owner: int, amount: int) -> Any:
        reference = self.reference()
        row = services.credit(**self.content(owner, amount, reference))
        self.purses[owner].rows.append(amount)
        assert (row.is_new, row.balance_after) == (True, self.purses[owner].balance)
        return owner, amount, reference

    @rule(target=posted, owner=OWNERS, amount=AMOUNTS)
    def debit(self, owner: int, amount: int) -> Any:
        purse, reference = self.purses[owner], self.reference()
        if amount > purse.available:
            with pytest.raises(InsufficientFunds):
                services.debit(**self.content(owner, amount, reference))
            return multiple()
        row = services.debit(**self.content(owner, amount, reference))
        purse.rows.append(-amount)
        assert (row.is_new, row.balance_after) == (True, purse.balance)
        return owner, -amount, reference

    @rule(row=posted)
    def replay(self, row: Any) -> None:
        owner, amount, reference = row
        verb = services.credit if amount > 0 else services.debit
        again = verb(**self.content(owner, abs(amount), reference))
        assert (again.is_new, again.amount, again.wallet.balance) == (False, amount, self.purses[owner].balance)

    @rule(row=posted, change=st.sampled_from(["amount", "owner", "sign", "type"]))
    def reuse(self, row: Any, change: str) -> None:
        owner, amount, reference = row
        verb = services.credit if (amount > 0) != (change == "sign") else services.debit
        content = self.content(
            1 - owner if change == "owner" else owner,
            abs(amount) + (change == "amount"),
            reference,
            type="bonus" if change == "type" else "adjustment",
        )
        with pytest.raises(ReferenceReused):
            verb(**content)

    @rule(row=posted)
    def reverse(self, row: Any) -> None:
        owner, amount, reference = row
        purse, undo = self.purses[owner], self.reference()
        call = {"transaction": reference, "user": self.users[owner], "type": "adjustment", "description": "x"}
        if reference in self.reversed:
            with pytest.raises(AlreadyReversed):
                services.reverse(reference=undo, **call)
            assert not services.reverse(reference=self.reversed[reference], **call).is_new
        elif amount > purse.available:
            with pytest.raises(InsufficientFunds):
                services.reverse(reference=undo, **call)
        else:
            services.reverse(reference=undo, **call)
            purse.rows.append(-amount)
            self.reversed[reference] = undo

    @rule(target=held, owner=OWNERS, amount=AMOUNTS)
    def hold(self, owner: int, amount: int) -> Any:
        purse, reference = self.purses[owner], self.reference()
        call = {"user": self.users[owner], "amount": amount, "reference": reference, "description": "x"}
        if amount > purse.available:
            with pytest.raises(InsufficientFunds):
                services.hold(**call)
            return multiple()
        assert services.hold(**call).is_new
        assert not services.hold(**call).is_new
        with pytest.raises(ReferenceReused):
            services.hold(**{**call, "amount": amount + 1})
        purse.holds[reference] = amount
        return owner, reference

    @rule(target=resolved, row=consumes(held))
    def capture(self, row: Any) -> Any:
        owner, reference = row
        purse = self.purses[owner]
        charged = services.capture(hold=reference, user=self.users[owner], type="sms_purchase")
        purse.rows.append(-purse.holds.pop(reference))
        assert (charged.amount, charged.balance_after) == (purse.rows[-1], purse.balance)
        return owner, reference, True

    @rule(target=resolved, row=consumes(held))
    def release(self, row: Any) -> Any:
        owner, reference = row
        services.release(hold=Hold.objects.get(reference=reference))
        del self.purses[owner].holds[reference]
        return owner, reference, False

    @rule(row=resolved)
    def resolve_again(self, row: Any) -> None:
        owner, reference, captured = row
        held = Hold.objects.get(reference=reference)
        with pytest.raises(AlreadyResolved):
            services.release(hold=held)
        if captured:
            assert not services.capture(hold=reference, user=self.users[owner], type="sms_purchase").is_new
        else:
            with pytest.raises(AlreadyResolved):
                services.capture(hold=reference, user=self.users[owner], type="sms_purchase")

    @invariant()
    def the_wallets_are_the_purses(self) -> None:
        for user, purse in zip(self.users, self.purses, strict=True):
            wallet = Wallet.objects.filter(user=user).first() or Wallet(user=user)
            rows = list(Transaction.objects.filter(wallet__user=user).order_by("sequence").values_list("amount"))
            assert (wallet.balance, wallet.available, wallet.version) == (
                purse.balance,
                purse.available,
                len(purse.rows),
            )
            assert rows == [(amount,) for amount in purse.rows]

    @invariant()
    def the_books_balance(self) -> None:
        assert audit().clean


@pytest.mark.django_db
def test_the_money_core_is_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    # Argon2 takes longer than all the rest; nobody signs in here.
    with monkeypatch.context() as patch:
        patch.setattr(User, "set_password", lambda self, raw: setattr(self, "password", "!"))
        run_state_machine_as_test(
            MoneyCore,
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
