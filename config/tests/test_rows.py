"""Rows of our own statements as instances."""

from __future__ import annotations

import pytest

from accounts.tests.factories import make_user
from config.lib.postgres.rows import columns, one
from wallet.models import Wallet
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db
STATEMENT = f"SELECT {columns(Wallet, 'w')}, w.balance - w.held FROM wallet_wallet w WHERE w.user_id = %s"  # noqa: S608


def test_the_first_columns_are_the_instance_and_the_rest_follows() -> None:
    user = make_user()
    funded(user, 500)
    row = one(Wallet, STATEMENT, [user.pk])
    assert row is not None
    wallet, rest = row
    stored = Wallet.objects.get(user=user)
    assert ({**vars(wallet), "_state": None}, rest) == ({**vars(stored), "_state": None}, (500,))
    wallet.held = 100
    wallet.save()
    assert Wallet.objects.get().held == 100


def test_no_row_is_none() -> None:
    assert one(Wallet, STATEMENT, [0]) is None
