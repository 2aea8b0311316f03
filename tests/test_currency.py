"""A currency as an operator writes it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.tests.factories import make_user
from config.settings.env import env
from dev.sandbox.testing import RunningSandbox
from payments import services
from wallet.selectors import balance_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("written", ["usd", "Usd", "USD"])
def test_what_is_paid_is_credited_however_the_currency_is_written(
    sandbox: RunningSandbox, settings: Any, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("CURRENCY", written)
    settings.CURRENCY = env.currency("CURRENCY", default="USD")
    user = make_user()
    begun = services.initiate(user=user, amount=20_00, now=timezone.now()).payment
    sandbox.pay(begun.reference)

    settled = services.settle(payment=begun, now=timezone.now())

    assert (settled.status, balance_of(user=user).balance) == ("completed", 20_00)
