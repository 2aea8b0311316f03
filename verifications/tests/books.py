"""What must hold at the end of every test that moved money or bought numbers."""

from __future__ import annotations

from collections import Counter

from django.db.models import Sum

from accounts.models import User
from dev.sandbox.testing import RunningSandbox
from verifications.models import Status, Verification
from wallet.models import Hold, HoldStatus, Transaction
from wallet.selectors import balance_of

LIVE = ("verificationPending", "verificationCompleted")


def rows(user: User) -> list[tuple[str, int]]:
    """The user's journal but for the money that the test gave: (type, cents), oldest first."""
    journal = Transaction.objects.filter(wallet__user=user).exclude(type="bonus").order_by("sequence")
    return list(journal.values_list("type", "amount"))


def money(user: User) -> tuple[int, int]:
    """(balance, held) in cents."""
    wallet = balance_of(user=user)
    return wallet.balance, wallet.held


def assert_balanced(sandbox: RunningSandbox, *, user: User) -> None:
    """Balance = journal; holds = requested; each charge has its number there, each end without a code its refund."""
    balance, held = money(user)
    assert balance == Transaction.objects.filter(wallet__user=user).aggregate(sum=Sum("amount"))["sum"]
    active = Hold.objects.filter(wallet__user=user, status=HoldStatus.ACTIVE)
    assert held == (active.aggregate(sum=Sum("amount"))["sum"] or 0)

    mine = list(Verification.objects.filter(user=user))
    assert set(active.values_list("reference", flat=True)) == {
        row.hold_reference for row in mine if row.status == Status.REQUESTED
    }
    ended_without = [row for row in mine if row.charged and row.status not in (Status.WAITING, Status.COMPLETED)]
    assert Counter(kind for kind, _ in rows(user)) == Counter(
        {
            kind: count
            for kind, count in {
                "sms_purchase": sum(row.charged for row in mine),
                "verification_refund": len(ended_without),
            }.items()
            if count
        }
    )
    sold = {number["id"]: number for number in sandbox.ledger()["numbers"]}
    ours = {row.provider_id for row in mine if row.status in (Status.WAITING, Status.COMPLETED)}
    assert {pk for pk, number in sold.items() if number["state"] in LIVE} == ours
    assert {row.provider_id for row in mine if row.provider_id} == set(sold)
